#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What nobody looks at as it comes is followed all the same: of a capture read in two passes, at the first of which
nobody looks, the second shows what one pass shows. Over what seldom comes: odd options, and times that cannot be."""

import struct
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "test-captures")]

import packets  # noqa: E402
from packets import CLIENT4, SERVER4  # noqa: E402
from tshark import Tshark  # noqa: E402

ENDS = ("local", "remote")
SHOWN = ("frame.number", "tcpstate.closed_by", "tcpstate.midstream", "tcpstate.transition",
         *(f"tcpstate.{end}{form}" for end in ENDS
           for form in (".str", ".confirmed", ".since", ".duration", ".event")))

MSS, WSCALE, SACK = bytes.fromhex("020405b4"), bytes.fromhex("03030701"), bytes.fromhex("04020101")
STAMPS = bytes.fromhex("0101080a0000000900000000")
STAMPS_LAST = bytes.fromhex("080a00000009000000000101")
OPTIONS = {
    "none": b"",
    "usual": MSS + SACK + STAMPS + WSCALE,
    "stamps": STAMPS,
    "stamps first, then padding": STAMPS_LAST,
    "user timeout": MSS + bytes.fromhex("1c040102"),
    "Fast Open asked for": MSS + bytes.fromhex("22020101"),
    "Fast Open": MSS + bytes.fromhex("220a0102030405060708") + b"\1\1",
    "Multipath TCP": MSS + bytes.fromhex("1e0c00810102030405060708"),
    "Multipath TCP, too short": bytes.fromhex("1e030101"),
    "length 0": bytes.fromhex("05000101"),
    "beyond the header": bytes.fromhex("1e280081"),
    "MSS of wrong length": bytes.fromhex("02030501"),
    "after the end": bytes.fromhex("00030307"),
}


def connection(port, options=b"", syn_options=None):
    """The frames of a connection that exchanges some data, with these options on each segment, others on SYNs."""
    def segment(from_client, seq, ack, flags, payload=b""):
        ends = (CLIENT4, SERVER4) if from_client else (SERVER4, CLIENT4)
        ports = (port, 5000) if from_client else (5000, port)
        has = syn_options if "SYN" in flags and syn_options is not None else options
        return packets.ethernet(packets.ip(*ends, packets.TCP, packets.tcp(*ends, *ports, seq, ack, flags, 500, payload,
                                                                           has)))
    yield segment(True, 1000, 0, ["SYN"])
    yield segment(False, 9000, 1001, ["SYN", "ACK"])
    yield segment(True, 1001, 9001, ["ACK"])
    for n in range(4):
        yield segment(True, 1001 + 10 * n, 9001 + 20 * n, ["ACK", "PSH"], bytes(10))
        yield segment(False, 9001 + 20 * n, 1011 + 10 * n, ["ACK", "PSH"], bytes(20))
    yield segment(True, 1041, 9081, ["FIN", "ACK"])
    yield segment(False, 9081, 1042, ["ACK"])
    yield segment(False, 9081, 1042, ["FIN", "ACK"])
    yield segment(True, 1042, 9082, ["ACK"])


def pcap(records):
    """The bytes of a nanosecond pcap of (seconds, nanoseconds, frame, octets captured or None for all)."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, packets.ETHERNET)]
    for seconds, nanoseconds, frame, captured in records:
        kept = frame[:captured]
        out.append(struct.pack("<IIII", seconds, nanoseconds, len(kept), len(frame)) + kept)
    return b"".join(out)


def pcapng(records):
    """The bytes of a pcapng that counts whole seconds, of (seconds, frame)."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    resolution = struct.pack("<HHB3x", 9, 1, 0) + struct.pack("<HH", 0, 0)
    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
           block(1, struct.pack("<HHI", packets.ETHERNET, 0, 0) + resolution)]
    for seconds, frame in records:
        out.append(block(6, struct.pack("<IIIII", 0, seconds >> 32, seconds & 0xFFFFFFFF, len(frame), len(frame))
                         + frame))
    return b"".join(out)


class Unseen(unittest.TestCase):
    """Captures made here, each read in one pass and in two."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def rows(self, content, segments):
        """What both passes show of a capture of so many segments."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.pcap"
        path.write_bytes(content)
        once, twice = (self.tshark.fields(path, SHOWN, passes) for passes in ((), ("-2",)))
        self.assertEqual(once, twice)
        self.assertEqual(segments, sum(1 for row in once if row[4]), "segments without a state")
        return once

    def check_opened_and_closed(self, rows):
        """The SYN was followed, and the client is in TIME_WAIT at the end."""
        self.assertEqual("", rows[-1][2], "midstream: the SYN was not followed")
        self.assertEqual("TIME_WAIT", rows[-1][4])

    def test_options(self):
        for name, options in OPTIONS.items():
            for rest in (b"", STAMPS, STAMPS_LAST):
                with self.subTest(name, rest=rest.hex()):
                    frames = list(connection(40000, rest, options))
                    self.check_opened_and_closed(self.rows(
                        pcap((1767225600, 1000 * n, frame, None) for n, frame in enumerate(frames)), len(frames)))

    def test_headers_cut_off(self):
        for captured in (54, 57, 58, 66, 73):
            with self.subTest(captured=captured):
                frames = list(connection(40000, STAMPS, OPTIONS["usual"]))
                self.check_opened_and_closed(self.rows(
                    pcap((1767225600, 1000 * n, frame, captured) for n, frame in enumerate(frames)), len(frames)))

    def test_times(self):
        """Time stamps that leap, run backwards, or have more nanoseconds than a second, or what a reader takes for
        fewer than none."""
        for name, times in {
                "backwards": [(1000 - n, 5) for n in range(15)],
                "backwards within a second": [(1000, 900000000 - n) for n in range(15)],
                "over 17 minutes": [(1000 + 1023 * (n > 2), 0) for n in range(15)],
                "over more": [(1000 + 3000 * (n > 2), 0) for n in range(15)],
                "too many nanoseconds": [(1000, 0xFFFFFFFF - n % 2 * 0x80000000) for n in range(15)],
                "1970": [(0, n) for n in range(15)],
                "2106": [(0xFFFFFFFF, n) for n in range(15)],
        }.items():
            with self.subTest(name):
                frames = list(connection(40000))
                self.assertEqual(len(frames), len(times))
                self.check_opened_and_closed(self.rows(
                    pcap((*time, frame, None) for time, frame in zip(times, frames)), len(frames)))

    def test_times_far_off(self):
        for first in (2**32, 2**33 - 5, 2**33, 9223372036 - 5, 2**40, 2**62, 2**63 - 20, 2**64 - 20):
            with self.subTest(first=first):
                frames = list(connection(40000))
                self.check_opened_and_closed(self.rows(
                    pcapng((first + n, frame) for n, frame in enumerate(frames)), len(frames)))


if __name__ == "__main__":
    unittest.main()
