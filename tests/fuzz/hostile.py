#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that an attacker would make: hostile in number, not in form.

    hostile.py KIND N FILE      (a classic pcap of raw IP)

kinds: scan (N connections of one SYN), streams (the same ports opened and reset N times, with new
numbers), same (the same with the same numbers: one stream in older series), transitions (one
connection that seems to be reset, and lives on, N times), turns (five of those, one segment of each in
turn), tunnels (frames with 1 to N tunnels, one in the other, around a segment).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "test-captures"))

from packets import CLIENT4, RAW_IP, SERVER4, TCP, gre, ip, ip_in_ip, pcap, tcp  # noqa: E402

STEP_US = 1000


def segment(from_client, client_port, seq, ack, *flags, server_port=80):
    """An IP packet with one segment."""
    ends = ((CLIENT4, client_port), (SERVER4, server_port))
    (src, sport), (dst, dport) = ends if from_client else ends[::-1]
    return ip(src, dst, TCP, tcp(src, dst, sport, dport, seq, ack, flags))


def scan(count):
    """As many connections of one SYN; the ports run on when the client's are used up."""
    for number in range(count):
        yield segment(True, 1024 + number % 60000, 7 * number, 0, "SYN",
                      server_port=1 + number // 60000)


def _open_and_reset(iss, port=40000):
    yield segment(True, port, iss, 0, "SYN")
    yield segment(False, port, iss + 500, iss + 1, "SYN", "ACK")
    yield segment(True, port, iss + 1, iss + 501, "ACK")
    yield segment(True, port, iss + 1, iss + 501, "RST", "ACK")


def streams(count):
    """The same ports again and again."""
    for number in range(count):
        yield from _open_and_reset(100000 * number)


def same(count):
    """The same ports, and the same initial numbers."""
    for _ in range(count):
        yield from _open_and_reset(1000)


def transitions(count, port=40000):
    """A connection that each RST seems to end."""
    yield from list(_open_and_reset(1000, port))[:3]
    for _ in range(count):
        yield segment(True, port, 1001, 1501, "RST", "ACK")
        yield segment(False, port, 1501, 1001, "ACK")
        yield segment(True, port, 1001, 1501, "ACK")
        yield segment(False, port, 1501, 1001, "FIN", "ACK")
        yield segment(True, port, 1001, 1502, "ACK")
        yield segment(False, port, 1500, 1001, "SYN", "ACK")


def turns(count):
    """Five such connections, one segment of each in turn."""
    for segments in zip(*(transitions(count, 40000 + number) for number in range(5))):
        yield from segments


def tunnels(count):
    """Frames with ever more tunnels; every other one is GRE."""
    for depth in range(1, count + 1):
        packet = segment(depth % 2 == 1, 40000, 1000 * depth, 1, "ACK")
        for number in range(depth):
            packet = (gre if number % 2 else ip_in_ip)(CLIENT4, SERVER4, packet)
        yield packet


KINDS = {"scan": scan, "streams": streams, "same": same, "transitions": transitions, "turns": turns,
         "tunnels": tunnels}


def write(kind, count, path):
    """Write a capture of a kind."""
    path.write_bytes(pcap(RAW_IP, [(STEP_US * number, packet, None)
                                   for number, packet in enumerate(KINDS[kind](count))]))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    write(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
