#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,json of all bundled captures, damaged in the ways of damage.py: each line is valid by its schema."""

import json
import random
import struct
import sys
import tempfile
import unittest
from pathlib import Path

import jsonschema

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CAPTURES = PROJECT / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent), str(CAPTURES)]

import captures  # noqa: E402
import damage  # noqa: E402
import packets  # noqa: E402
from tshark import Tshark  # noqa: E402

SCHEMA = json.loads((PROJECT / "plugin/views/connection.schema.json").read_text(encoding="utf-8"))
VARIANTS = 20       # of each capture, by chance
SEED = 9293
TIME_LIMIT_S = 240  # of one tshark


def ip_at(capture):
    """Where the IP headers are; None in captures of Wi-Fi."""
    return None if capture.link_type == packets.IEEE802_11 else captures.ip_offset(capture.link_type)


def variant(capture, kept, number):
    """The captures.Records of a variant, with addresses of its own. Those of Wi-Fi mix, and are all the worse."""
    at, records = ip_at(capture), []
    for each in kept:
        _, frame, length = capture.records[each.index]
        if at is not None:
            cut = captures.fixed_header_octets(frame, at) if each.cut else len(frame)
            frame = captures.readdress(frame[:cut], at, number)
        records.append(captures.Record(each.time_us, frame, length))
    return records


def sender(capture, record):
    """The IPv4 address of a frame's sender; in frames without that header, octets of one."""
    at = ip_at(capture) or 0
    return record.frame[at + 12:at + 16]


class Damaged(unittest.TestCase):
    """One file of each link type with all variants."""

    def test_every_line_is_valid(self):
        chance = random.Random(SEED)
        written = {}    # by link type
        number = 0
        for path in sorted(CAPTURES.rglob("*.pcap")):
            capture = captures.read(path)
            originals = [damage.Original(record.time_us, sender(capture, record)) for record in capture.records]
            variants = [kept for _, kept in damage.variants(originals, path.name, 1)]
            for kept in chance.sample(variants, min(VARIANTS, len(variants))):
                number += 1
                written.setdefault(capture.link_type, []).extend(variant(capture, kept, number))
        validator = jsonschema.Draft202012Validator(SCHEMA)
        count = 0
        with Tshark() as tshark, tempfile.TemporaryDirectory(prefix="tcpstate-test-") as folder:
            for link_type, records in written.items():
                path = Path(folder) / f"{link_type}.pcap"
                path.write_bytes(packets.pcap(link_type, []) + b"".join(
                    struct.pack("<IIII", *divmod(record.time_us, 1000000), len(record.frame), record.length)
                    + record.frame for record in records))
                shown = tshark.run(["-q", "-z", "tcpstate,json"], path, limit_s=TIME_LIMIT_S).stdout
                for line in shown.splitlines():
                    for error in validator.iter_errors(json.loads(line)):
                        self.fail(f"{error.json_path}: {error.message}\n{line}")
                    count += 1
        print(f"{number} variants, {sum(map(len, written.values()))} frames, {count} connections")
        self.assertGreater(number, 2000)
        self.assertGreater(count, number)


if __name__ == "__main__":
    unittest.main()
