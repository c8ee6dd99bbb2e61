#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments are followed also while nothing refers to their states: what tshark -2 shows, in whose first pass nothing
does, is what one pass shows. Over rare TCP options, headers cut off, and impossible time stamps."""

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
PORT = 40000  # of the client in the first connection of a capture
SHOWN = ("tcp.port", "frame.number", "tcpstate.closed_by", "tcpstate.midstream", "tcpstate.transition",
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
    """Captures made here, of many connections each, read in one pass and in two."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def check(self, form, connections):
        """Both passes show the same, a state on each segment, and every connection from its SYN to TIME_WAIT.

        form makes the capture's bytes of records; connections are lists of records by name. The first has the client's
        port PORT, the next one more, and so on.
        """
        path = self.folder / f"{self.id()}.pcap"
        path.write_bytes(form(record for records in connections.values() for record in records))
        once, twice = (self.tshark.fields(path, SHOWN, passes) for passes in ((), ("-2",)))
        self.assertEqual(once, twice)
        for port, (name, records) in enumerate(connections.items(), PORT):
            with self.subTest(name):
                rows = [dict(zip(SHOWN, row)) for row in once if str(port) in row[0].split(",")]
                self.assertEqual(len(records), sum(row["tcpstate.local.str"] != "" for row in rows))
                self.assertEqual("", rows[-1]["tcpstate.midstream"], "the SYN was not followed")
                self.assertEqual("TIME_WAIT", rows[-1]["tcpstate.local.str"])

    def test_options(self):
        connections = {}
        for name, options in OPTIONS.items():
            for rest in (b"", STAMPS, STAMPS_LAST):
                frames = connection(PORT + len(connections), rest, options)
                connections[f"{name}, {rest.hex()}"] = [
                    (1767225600, 1000 * n, frame, None) for n, frame in enumerate(frames)]
        self.check(pcap, connections)

    def test_headers_cut_off(self):
        self.check(pcap, {captured: [(1767225600, 1000 * n, frame, captured) for n, frame in enumerate(
            connection(port, STAMPS, OPTIONS["usual"]))] for port, captured in enumerate((54, 57, 58, 66, 73), PORT)})

    def test_times(self):
        """Time stamps that leap, run backwards, or have more nanoseconds than a second, or what a reader takes for
        fewer than none."""
        times = {
            "backwards": [(1000 - n, 5) for n in range(15)],
            "backwards within a second": [(1000, 900000000 - n) for n in range(15)],
            "over 17 minutes": [(1000 + 1023 * (n > 2), 0) for n in range(15)],
            "over more": [(1000 + 3000 * (n > 2), 0) for n in range(15)],
            "too many nanoseconds": [(1000, 0xFFFFFFFF - n % 2 * 0x80000000) for n in range(15)],
            "1970": [(0, n) for n in range(15)],
            "2106": [(0xFFFFFFFF, n) for n in range(15)],
        }
        self.check(pcap, {name: [(*time, frame, None) for time, frame in zip(stamps, connection(port), strict=True)]
                          for port, (name, stamps) in enumerate(times.items(), PORT)})

    def test_times_far_off(self):
        seconds = (2**32, 2**33 - 5, 2**33, 9223372036 - 5, 2**40, 2**62, 2**63 - 20, 2**64 - 20)
        self.check(pcapng, {first: [(first + n, frame) for n, frame in enumerate(connection(port))]
                            for port, first in enumerate(seconds, PORT)})


if __name__ == "__main__":
    unittest.main()
