#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""On hostile captures, too, Wireshark says the same with the plugin as without it.

    non_interference.py [--seed N] [--keep FOLDER]

disabled.py does it for the bundled captures one by one; here they are put into one file, which is
then damaged (editcap -E, bits flipped in TCP headers), cut short (editcap -s), and random packets
(randpkt) and small hostile captures (../fuzz/hostile.py) are added. Compared, in one and in two
passes: the detailed listing, the JSON, some fields, experts, conversations, hierarchy, Follow
Stream, and what is said on the console.
"""

import os
import random
import re
import shutil
import struct
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "fuzz"))

from disabled import CAPTURES, JSON, TEXT, without_plugin  # noqa: E402
from hostile import KINDS, write  # noqa: E402
from tables import SUMMARIES  # noqa: E402
from tshark import Tshark, run_tool  # noqa: E402

FIELDS = ("-T", "fields", *(word for name in (
    "frame.number", "frame.protocols", "_ws.col.Protocol", "_ws.col.Info", "tcp.stream", "tcp.flags",
    "tcp.analysis.flags", "tcp.seq", "tcp.ack", "ip.src", "_ws.malformed", "_ws.expert.message")
    for word in ("-e", name)))
OUTPUTS = (TEXT, ("-2", *TEXT), ("-2", *JSON), FIELDS, ("-2", *FIELDS))

# The plugin's expert information, wherever it stands in a list of messages.
OWN_MESSAGE = re.compile(r",(?:{0})(?=[,\n])|(?<=\t)(?:{0})(?:,(?:{0}))*(?:,|(?=\n))".format(
    "|".join([*map(re.escape, SUMMARIES), r"\w+\??(?: and \w+\??)? never left until the end of the capture, [\d.]+ m?s",
              r"A request crossed the close of a connection that had been idle for [^,\n]*, and was answered by a RST: "
              r"the \w+ has the shorter idle timeout"])))

ANYTHING = ".*"  # on the console: Wireshark's own words about damage; both must say the same

IP_TCP = 6


def flip_tcp_bits(capture, out, chance):
    """Flip bits in the TCP headers of a pcapng file's IPv4 packets over Ethernet, and nowhere else."""
    data = bytearray(capture.read_bytes())
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:  # an enhanced packet block: 28 bytes of its own before the packet
            ip = at + 28 + 14
            if data[ip - 2:ip] == b"\x08\x00" and data[ip + 9] == IP_TCP:
                tcp = ip + (data[ip] & 15) * 4
                for octet in range(tcp, min(tcp + 20, at + length - 4)):
                    if chance.random() < 0.04:
                        data[octet] ^= 1 << chance.randrange(8)
        at += length
    out.write_bytes(data)


def make_captures(folder, chance):
    """Hostile captures in folder, each of several: the paths by name."""
    sources = sorted(path for path in CAPTURES.rglob("*.pcap") if path.parent.name not in ("programs", "stacks"))
    is_ethernet = [path for path in sources
                   if struct.unpack_from("<I", path.read_bytes(), 20)[0] == 1]
    whole = merged(folder, "whole", sources)
    ethernet = merged(folder, "ethernet", is_ethernet)
    parts = {kind: [] for kind in ("damaged", "cut", "flipped", "hostile", "random")}

    def part(kind, what):
        parts[kind].append(folder / f"{kind}-{what}.part")
        return parts[kind][-1]

    for share in (0.002, 0.01, 0.05):
        run_tool("editcap", "--seed", chance.randrange(1 << 31), "-E", share, whole, part("damaged", share))
    for size in (33, 50, 60, 70):
        run_tool("editcap", "-s", size, whole, part("cut", size))
    for number in range(3):
        flip_tcp_bits(ethernet, part("flipped", number), chance)
    for kind in KINDS:
        write(kind, 60, part("hostile", kind))
    for kind in ("tcp", "ip", "eth"):
        run_tool("randpkt", "-c", 200, "-b", 300, "-t", kind, part("random", kind))
    return {"whole": whole, **{kind: merged(folder, kind, paths) for kind, paths in parts.items()}}


def merged(folder, name, parts):
    """A file of that name in folder, of captures one after the other; its path."""
    path = folder / f"{name}.pcapng"
    run_tool("mergecap", "-a", "-F", "pcapng", "-w", path, *parts)
    return path


class NonInterference(unittest.TestCase):
    """All captures, all outputs, with the plugin and without."""
    seed = 1
    keep = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.stock = cls.enterClassContext(Tshark(stock=True))
        cls.plugin = cls.enterClassContext(Tshark())
        cls.folder = Path(tempfile.mkdtemp(prefix="tcpstate-hostile-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.captures = make_captures(cls.folder, random.Random(cls.seed))

    def kept(self, capture):
        """Where a capture that shows a difference is left to be looked at."""
        if not self.keep:
            return "(--keep FOLDER keeps it)"
        self.keep.mkdir(parents=True, exist_ok=True)
        return shutil.copy(capture, self.keep)

    def test_same_but_for_our_own(self):
        runs = list(product(self.captures.values(), OUTPUTS))

        def both(run):
            capture, arguments = run
            return [tshark.run(arguments, capture, expect_stderr=ANYTHING)
                    for tshark in (self.plugin, self.stock)]

        annotated = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for (capture, arguments), (ours, theirs) in zip(runs, pool.map(both, runs)):
                with self.subTest(capture=capture.name, arguments=arguments[:3]):
                    self.assertEqual(ours.stderr, theirs.stderr)
                    kind = JSON if "json" in arguments else arguments
                    try:
                        if "fields" in arguments:
                            self.assertEqual(OWN_MESSAGE.sub("", ours.stdout), theirs.stdout)
                        else:
                            self.assertEqual(without_plugin(kind, ours.stdout),
                                             without_plugin(kind, theirs.stdout))
                    except AssertionError:
                        print(f"seed {self.seed}: {self.kept(capture)}", file=sys.stderr)
                        raise
                annotated += ours.stdout.count("TCP State:")
        self.assertGreater(annotated, 1000, "nothing was annotated, so nothing was tried")


if __name__ == "__main__":
    words = sys.argv[1:]
    while len(words) > 1:
        option, value = words[:2]
        if option == "--seed":
            NonInterference.seed = int(value)
        elif option == "--keep":
            NonInterference.keep = Path(value)
        words = words[2:]
    print(f"seed {NonInterference.seed}")
    unittest.main(argv=sys.argv[:1])
