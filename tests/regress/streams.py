#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses and ports identify a segment's pair of sockets, not the streams of the TCP dissector: where a stream
begins in a quoted segment, where a pair opens again, where TCP is tunnelled, and in several VLANs."""

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent.parent / "test-captures"))

import packets  # noqa: E402
from packets import CLIENT4, SERVER4  # noqa: E402
from tshark import Tshark  # noqa: E402

ROUTER = "10.9.0.254"
STATES = ("tcpstate.client", "tcpstate.server", "tcpstate.client.str", "tcpstate.transition")


def connection(port, iss):
    """The IP packets of a short connection of the client's port."""
    def segment(from_client, seq, ack, *flags):
        ends = (CLIENT4, SERVER4) if from_client else (SERVER4, CLIENT4)
        ports = (port, 5000) if from_client else (5000, port)
        return packets.ip(*ends, packets.TCP, packets.tcp(*ends, *ports, seq, ack, flags))
    peer = iss + 70000
    return [segment(True, iss, 0, "SYN"), segment(False, peer, iss + 1, "SYN", "ACK"),
            segment(True, iss + 1, peer + 1, "ACK"), segment(True, iss + 1, peer + 1, "FIN", "ACK"),
            segment(False, peer + 1, iss + 2, "FIN", "ACK"), segment(True, iss + 2, peer + 2, "ACK")]


def quoted(packet):
    """An ICMP error that quotes all of a packet: the TCP dissector sees the segment, and may begin a stream."""
    return packets.icmp_error(ROUTER, CLIENT4, packet)


class Streams(unittest.TestCase):
    """Captures made here, each read in one pass and in two."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def rows(self, name, frames, names=STATES, arguments=(), display="tcpstate"):
        """What is shown on the segments of a capture of these Ethernet frames: the same in both passes."""
        path = self.folder / f"{name}.pcap"
        path.write_bytes(packets.pcap(packets.ETHERNET, [(1000 * n, frame, None) for n, frame in enumerate(frames)]))
        once, twice = (self.tshark.fields(path, names, [*passes, *arguments, "-Y", display])
                       for passes in ((), ("-2",)))
        self.assertEqual(once, twice, name)
        self.assertTrue(once, name)
        return once

    def test_streams_that_begin_in_quotes(self):
        """A quoted SYN begins a stream unseen, of another pair and of one that comes later."""
        first, second = connection(40000, 1000), connection(40001, 9000)
        plain = [packets.ethernet(p) for p in first + second]
        with_quotes = [packets.ethernet(p) for p in (
            first[0], quoted(second[0]), first[1], quoted(connection(40002, 5)[0]), *first[2:4],
            quoted(first[3]), *first[4:], *second)]
        expected = self.rows("plain", plain)
        self.assertEqual(self.rows("quotes", with_quotes), expected)
        self.assertEqual(len(expected), len(plain))

    def test_a_stream_of_the_same_pair_that_begins_in_a_quote(self):
        """The pair's next segments belong to that stream, and its states go on from what was known."""
        first, again = connection(40000, 1000), connection(40000, 90000)
        frames = [packets.ethernet(p) for p in (*first, quoted(again[0]), *again)]
        rows = self.rows("quoted-again", frames)
        self.assertEqual(len(rows), len(first) + len(again))
        self.assertEqual([row[2] for row in rows[:len(first)]], [row[2] for row in rows[len(first):]])

    def test_many_incarnations(self):
        """Each has states of its own; those of an old one are not those of the latest."""
        runs = [connection(40000, 100000 * n) for n in range(20)]
        rows = self.rows("again", [packets.ethernet(p) for run in runs for p in run], (*STATES, "tcp.stream"))
        states = [row[2] for row in rows]
        self.assertEqual(len({row[4] for row in rows}), len(runs))
        self.assertEqual(states, states[:len(runs[0])] * len(runs))

    def test_segments_within_segments(self):
        """IP over IP over IP: the same pair of addresses outside and inside, each TCP layer by itself."""
        inner = connection(40000, 1000)
        frames = [packets.ethernet(packets.ip_in_ip(CLIENT4, SERVER4, packets.ip_in_ip(SERVER4, CLIENT4, p)))
                  for p in inner]
        expected = self.rows("outside", [packets.ethernet(p) for p in inner])
        self.assertEqual(self.rows("inside", frames), expected)

    def test_vlans_apart(self):
        """With the preference that keeps VLANs apart, which Wireshark 4.0 lacks, each has a connection of its own."""
        apart = ["-o", "protocols.conversation_deinterlacing_key:VMI"]
        if self.tshark.series == "4.0":
            self.tshark.run(apart, refuses=True, expect_stderr=".*unknown preference.*")
            return
        run = connection(40000, 1000)
        frames = [packets.ethernet(p, vlan_ids=(vlan,)) for pair in zip(run, run) for vlan, p in zip((1, 2), pair)]
        rows = self.rows("vlans", frames, ("vlan.id", *STATES), apart)
        one, two = ([row[1:] for row in rows if row[0] == vlan] for vlan in "12")
        self.assertEqual(one, two)
        self.assertEqual(one, self.rows("untagged", [packets.ethernet(p) for p in run]))


if __name__ == "__main__":
    unittest.main()
