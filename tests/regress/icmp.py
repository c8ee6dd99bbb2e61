#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors that quote a SYN: which of them end the attempt to connect (RFC 9293 section 3.9.2.2)."""

import itertools
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "test-captures")]

import packets  # noqa: E402
from tshark import Tshark  # noqa: E402

ROUTERS = {4: "10.9.0.254", 6: "fd00:9::fe"}
ENDS = {4: (packets.CLIENT4, packets.SERVER4), 6: (packets.CLIENT6, packets.SERVER6)}

# Type and code of each error that refuses (RFC 792, RFC 1812 section 5.2.7.1; RFC 4443), and others.
REFUSE = {4: ((3, 2), (3, 3), (3, 9), (3, 10), (3, 13)), 6: ((1, 1), (1, 4), (1, 5), (1, 6), (4, 1))}
DO_NOT = {4: ((3, 0), (3, 1), (3, 4), (3, 5), (4, 0), (11, 0), (12, 0)), 6: ((1, 0), (1, 3), (2, 0), (3, 0), (4, 0))}

SHOWN = ["tcpstate.client.str", "tcpstate.closed_by", "tcpstate.local.event"]
CLOSED_BY_ICMP, RCV_ICMP = "7", "28"


def syn(version, port, number, flags=("SYN",)):
    client, server = ENDS[version]
    return packets.ip(client, server, packets.TCP, packets.tcp(client, server, port, packets.SERVER_PORT, number,
                                                               0, flags))


class Icmp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.numbers = itertools.count()

    def written(self, frames):
        """A capture of frames; its path, one of its own, for a Tshark reads each path once."""
        capture = self.folder / f"{next(self.numbers)}.pcap"
        capture.write_bytes(packets.pcap(packets.RAW_IP, [(1000 * n, frame, None) for n, frame in enumerate(frames)]))
        return capture

    def shown_on_errors(self, version, errors):
        """What is shown on each of some errors. errors: (number of the SYN, number that is quoted, octets that
        are quoted, type and code)."""
        frames = []
        for port, (number, quoted, octets, kind) in enumerate(errors, 40000):
            client, _ = ENDS[version]
            error = packets.icmp_error(ROUTERS[version], client, syn(version, port, quoted), octets, kind)
            frames += [syn(version, port, number), error]
        capture = self.written(frames)
        rows = self.tshark.fields(capture, SHOWN)
        twice = self.tshark.fields(capture, SHOWN, ["-2"])
        self.assertEqual(rows, twice)
        return rows[1::2]

    def test_refusals(self):
        for version, kinds in REFUSE.items():
            least = 28 if version == 4 else 48  # the IP header and 8 octets of TCP
            shown = self.shown_on_errors(version, [(7, 7, octets, kind) for kind in kinds for octets in (least, None)])
            for row in shown:
                self.assertEqual(row, ["CLOSED", CLOSED_BY_ICMP, RCV_ICMP], version)

    def test_others_change_nothing(self):
        for version, kinds in DO_NOT.items():
            for row in self.shown_on_errors(version, [(7, 7, None, kind) for kind in kinds]):
                self.assertEqual(row, ["", "", ""], version)

    def test_of_another_number(self):
        for version, kinds in REFUSE.items():
            self.assertEqual(self.shown_on_errors(version, [(7, 8, None, kinds[0])]), [["", "", ""]])

    def test_of_no_connection(self):
        for version, kinds in REFUSE.items():
            client, _ = ENDS[version]
            error = packets.icmp_error(ROUTERS[version], client, syn(version, 1, 7), None, kinds[0])
            self.assertEqual(self.tshark.fields(self.written([error]), SHOWN), [["", "", ""]])


if __name__ == "__main__":
    unittest.main()
