#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures in which lengths do not agree: of the frame, of the IP packet, of the TCP header, of what was captured.

    odd_lengths.py [--check]      write cases/length-*.pcap, or only compare

Each is an ordinary connection, the same for all (talk()), of which frames are padded, cut or given lengths that are not
theirs. What is right on each frame is told in the case of the same name, cases/NAME.txt or cases/open/NAME.txt.
"""

import argparse
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "test-captures"))

import packets  # noqa: E402  (found only now)

ENDS = {4: {"C": "192.0.2.1", "S": "198.51.100.1"}, 6: {"C": "2001:db8::1", "S": "2001:db8::2"}}
PORTS = {"C": 40000, "S": 80}
INITIAL = {"C": 1000, "S": 5000}
ETHERNET = 14          # octets of its header
IP = {4: 20, 6: 40}    # octets of theirs
FIXED = 20             # of TCP's
_FLAGS = {"F": "FIN", "S": "SYN", "R": "RST", "P": "PSH", "A": "ACK"}

# Milliseconds, sender, flags, sequence and acknowledgement number, octets of payload.
REQUEST, ANSWER = 100, 400
HANDSHAKE = [(0, "C", "S", 0, 0, 0), (20, "S", "SA", 0, 1, 0), (40, "C", "A", 1, 1, 0)]
DATA = [(50, "C", "PA", 1, 1, REQUEST), (70, "S", "A", 1, 101, 0), (80, "S", "PA", 1, 101, ANSWER),
        (100, "C", "A", 101, 401, 0)]
CLOSE = [(110, "C", "FA", 101, 401, 0), (130, "S", "A", 401, 102, 0), (140, "S", "FA", 401, 102, 0),
         (160, "C", "A", 102, 402, 0)]
ALL = HANDSHAKE + DATA + CLOSE
FIN, SERVERS_FIN = 8, 10   # frames of ALL, from 1 on: the client's FIN, the server's


def segment(row, version=4, options=b"", header_words=None):
    """The TCP segment of a row."""
    _, side, flags, seq, ack, octets = row
    other = "S" if side == "C" else "C"
    ends = ENDS[version]
    return packets.tcp(ends[side], ends[other], PORTS[side], PORTS[other], INITIAL[side] + seq,
                       INITIAL[other] + ack if "A" in flags else 0, [_FLAGS[flag] for flag in flags], 65535,
                       b"x" * octets, options, header_words)


def packet(row, version=4, length=None, **how):
    """The IP packet of a row. length: what its header says instead, octets (IPv6: of its payload)."""
    side = row[1]
    made = packets.ip(ENDS[version][side], ENDS[version]["S" if side == "C" else "C"], packets.TCP,
                      segment(row, version, **how))
    if length is None:
        return made
    if version == 6:
        return made[:4] + struct.pack("!H", length) + made[6:]
    header = made[:2] + struct.pack("!H", length) + made[4:10] + b"\0\0" + made[12:20]
    return header[:10] + struct.pack("!H", packets.checksum(header)) + header[12:] + made[20:]


def frame(row, made=None):
    """The Ethernet frame of a packet that a row's sender sends."""
    return packets.ethernet(made or packet(row), row[1] == "C")


def records(rows, make=None, captured=None):
    """Records for packets.pcap(). make: function of (number from 1, row) to a frame, None: the ordinary one. captured:
    number to octets captured."""
    return [(1000 * row[0], (make and make(number, row)) or frame(row), (captured or {}).get(number))
            for number, row in enumerate(rows, 1)]


def other(numbers, make):
    """A maker for records(): frames of these numbers by make(row)."""
    return lambda number, row: make(row) if number in numbers else None


CAPTURES = {}


def capture(make):
    """Enter a function that gives records."""
    CAPTURES["length-" + make.__name__.replace("_", "-")] = make
    return make


# ---------------------------------------------------------------- frames longer than their packets

@capture
def padding_and_fcs():
    """Each frame padded to 60 octets, with what was in memory, and then a frame check sequence."""
    return records(ALL, lambda _, row: frame(row) + b"\xde\xad\xbe\xef\xca\xfe"[:max(0, 60 - len(frame(row)))]
                   + b"\x12\x34\x56\x78")


@capture
def trailer_ipv6():
    """Over IPv6, each frame with a trailer of 10 octets."""
    return records(ALL, lambda _, row: frame(row, packet(row, 6)) + b"trailer---")


@capture
def ip_shorter_than_data():
    """The IP length says that of the server's 400 octets, captured all, 100 belong to the packet: the rest is none of
    it, and comes in a packet of its own."""
    rows = ALL[:5] + [(80, "S", "A", 1, 101, 400), (81, "S", "PA", 101, 101, 300)] + ALL[6:]
    return records(rows, other({6}, lambda row: frame(row, packet(row, length=140))))


# ---------------------------------------------------------------- offloading: the IP length is 0

@capture
def ip_zero():
    """Segmentation offload: the IP length of all that carries data is 0."""
    return records(ALL, other({4, 6}, lambda row: frame(row, packet(row, length=0))))


@capture
def ip_zero_fin():
    """Segmentation offload: the server's FIN comes with its data, and the IP length is 0."""
    rows = ALL[:5] + [(80, "S", "FPA", 1, 101, ANSWER), (100, "C", "A", 101, 402, 0), (110, "C", "FA", 101, 402, 0),
                      (130, "S", "A", 402, 102, 0)]
    return records(rows, other({6}, lambda row: frame(row, packet(row, length=0))))


@capture
def ip_zero_padded():
    """The IP length of the client's FIN is 0, the frame is padded to 60 octets: what is payload, nobody can tell."""
    return records(ALL, other({FIN}, lambda row: frame(row, packet(row, length=0)) + bytes(6)))


@capture
def ip_zero_padded_ack():
    """The same of the client's ACK of the answer, padded with what was in memory; then the server closes first."""
    rows = ALL[:7] + [(110, "S", "FA", 401, 101, 0), (130, "C", "A", 101, 402, 0), (140, "C", "FA", 101, 402, 0),
                      (160, "S", "A", 402, 102, 0)]
    return records(rows, other({7}, lambda row: frame(row, packet(row, length=0)) + b"\xde\xad\xbe\xef\xca\xfe"))


@capture
def ipv6_zero():
    """Over IPv6, the payload length of the server's data is 0, without a jumbo option."""
    return records(ALL, lambda number, row: frame(row, packet(row, 6, 0 if number == 6 else None)))


@capture
def ipv6_jumbo():
    """Over IPv6, the server's data is a jumbogram (RFC 2675): payload length 0, an option that says 70,000 octets. Of
    these the snap length left the header of TCP."""
    octets = 70000 - 8 - FIXED
    rows = ALL[:5] + [(80, "S", "PA", 1, 101, octets), (100, "C", "A", 101, 1 + octets, 0),
                      (110, "C", "FA", 101, 1 + octets, 0), (130, "S", "A", 1 + octets, 102, 0)]

    def make(number, row):
        if number != 6:
            return frame(row, packet(row, 6))
        short = packet((*row[:5], 0), 6)
        option = struct.pack("!BBBBI", packets.TCP, 0, 0xC2, 4, 70000)
        return frame(row, short[:4] + b"\0\0" + b"\0" + short[7:40] + option + short[40:] + b"x" * octets)
    return records(rows, make, {6: ETHERNET + IP[6] + 8 + FIXED})


# ---------------------------------------------------------------- the IP length says more than there is

def _beyond(row):
    """The frame of a row cut at the end of the TCP header, which says of itself that this was all of it."""
    return frame(row)[:ETHERNET + IP[4] + FIXED]


@capture
def ip_beyond_frame():
    """Data segments are cut after the TCP header, and the frame's length on the wire is told as what was captured."""
    return records(ALL, other({4, 6}, _beyond))


@capture
def ip_beyond_frame_fin():
    """The same of the server's data with its FIN: 400 octets stand before it, by the IP length."""
    rows = ALL[:5] + [(80, "S", "FPA", 1, 101, ANSWER), (100, "C", "A", 101, 402, 0), (110, "C", "FA", 101, 402, 0),
                      (130, "S", "A", 402, 102, 0)]
    return records(rows, other({6}, _beyond))


@capture
def ip_beyond_frame_little():
    """The IP length of the client's FIN says 10 octets more than there are: as many as options of IP may have."""
    return records(ALL, other({FIN}, lambda row: frame(row, packet(row, length=IP[4] + FIXED + 10))))


@capture
def ip_beyond_frame_partly_acked():
    """The same of 4,000 octets with the FIN, as one segment before offloading; the client acknowledges 1,448 octets,
    2,896, and then all."""
    rows = ALL[:5] + [(80, "S", "FPA", 1, 101, 4000), (100, "C", "A", 101, 1449, 0), (101, "C", "A", 101, 2897, 0),
                      (102, "C", "A", 101, 4002, 0), (110, "C", "FA", 101, 4002, 0), (130, "S", "A", 4002, 102, 0)]
    return records(rows, other({6}, _beyond))


@capture
def ip_beyond_frame_lost_fin():
    """The same of the client's last data. Its FIN was not captured; the server acknowledges both."""
    rows = ALL[:7] + [(105, "C", "PA", 101, 401, 50), (130, "S", "A", 401, 152, 0), (140, "S", "FA", 401, 152, 0),
                      (160, "C", "A", 152, 402, 0)]
    return records(rows, other({8}, _beyond))


@capture
def ip_beyond_frame_ipv6():
    """Data segments over IPv6 are cut after the TCP header, and the frame's length is told as what was captured."""
    kept = ETHERNET + IP[6] + FIXED
    return records(ALL, lambda number, row: frame(row, packet(row, 6))[:kept if number in (4, 6) else None])


# ---------------------------------------------------------------- the TCP header does not fit

@capture
def offset_beyond_packet():
    """The client's FIN says that its header has 24 octets, and the packet has 20; then the FIN as it should be."""
    rows = ALL[:FIN] + [(111, *ALL[FIN - 1][1:])] + ALL[FIN:]
    return records(rows, other({FIN}, lambda row: frame(row, packet(row, header_words=6))))


@capture
def offset_below_20():
    """The client's FIN five times, with a header of 0 to 16 octets; then as it should be."""
    rows = ALL[:FIN - 1] + [(109, *ALL[FIN - 1][1:])] * 5 + ALL[FIN - 1:]
    return records(rows, lambda number, row: frame(row, packet(row, header_words=number - FIN))
                   if FIN <= number < FIN + 5 else None)


@capture
def offset_of_all():
    """The client's request says that its header has 60 octets: 40 of the 100 that follow are options then."""
    rows = HANDSHAKE + [(50, "C", "PA", 1, 1, REQUEST), (70, "S", "A", 1, 61, 0), (80, "S", "FA", 1, 61, 0),
                        (100, "C", "A", 61, 2, 0)]
    return records(rows, other({4}, lambda row: frame(row, packet(row, header_words=15))))


@capture
def ip_within_header():
    """The IP length of the client's FIN ends 10 octets into its TCP header, all of which is there; and once within
    IP's own. Then the FIN as it should be."""
    rows = ALL[:FIN - 1] + [(108, *ALL[FIN - 1][1:]), (109, *ALL[FIN - 1][1:])] + ALL[FIN - 1:]
    return records(rows, lambda number, row: frame(row, packet(row, length={FIN: 30, FIN + 1: 16}[number]))
                   if number in (FIN, FIN + 1) else None)


# ---------------------------------------------------------------- cut by the snap length

def _cut(flags):
    """After the data a segment of the client's, cut at every octet of the fixed headers of IP and TCP; then all as it
    was."""
    row = (105, "C", flags, 101, 401, 0)
    cuts = range(ETHERNET + 1, ETHERNET + IP[4] + FIXED)
    rows = ALL[:FIN - 1] + [row] * len(cuts) + ALL[FIN - 1:]
    return records(rows, captured=dict(enumerate(cuts, FIN)))


@capture
def cut_fin():
    """A FIN, as _cut() has it."""
    return _cut("FA")


@capture
def cut_rst():
    """A RST."""
    return _cut("RA")


@capture
def cut_only_fin():
    """The snap length cuts the client's FIN in its TCP header; it was sent only once."""
    return records(ALL, captured={FIN: ETHERNET + IP[4] + 12})


@capture
def cut_only_rst():
    """The snap length cuts the client's RST in its TCP header, and the server sends on a moment later, for it was under
    way: so that who is in what nobody can know."""
    rows = ALL[:7] + [(110, "C", "RA", 101, 401, 0), (115, "S", "PA", 401, 101, 10)]
    return records(rows, captured={8: ETHERNET + IP[4] + 12})


_OPTIONS = (struct.pack("!BBH", 2, 4, 1460) + b"\1\3\3\7" + b"\1\1" + struct.pack("!BBII", 8, 10, 77, 0))


@capture
def cut_options():
    """The SYN and the SYN,ACK are cut between kind and value of the window scale. The client's window counts 128 times
    as much: the server sends 100,000 octets, in part beyond 65,535, and its FIN."""
    answer = [(81 + n, "S", "A", 1 + 50000 * n, 101, 50000) for n in range(2)]
    rows = ALL[:5] + answer + [(90, "S", "FA", 100001, 101, 0), (110, "C", "A", 101, 100002, 0),
                               (120, "C", "FA", 101, 100002, 0), (140, "S", "A", 100002, 102, 0)]
    kept = ETHERNET + IP[4] + FIXED
    return records(rows, lambda number, row: frame(row, packet(row, options=_OPTIONS)) if number <= 2 else None,
                   {1: kept + 6, 2: kept + 7, 6: kept, 7: kept})


# ---------------------------------------------------------------- fragments

def _fragments(row, size, ident):
    """The frames of a row's packet in fragments of IPv4."""
    side = row[1]
    return [frame(row, piece) for piece in packets.ip_fragments(
        ENDS[4][side], ENDS[4]["S" if side == "C" else "C"], packets.TCP, segment(row), size, ident)]


def _fragments6(row, size, ident):
    """The same of IPv6 (RFC 8200 section 4.5)."""
    whole = packet(row, 6)
    parts = [whole[at:at + size] for at in range(40, len(whole), size)]
    made = []
    for number, part in enumerate(parts):
        more = number < len(parts) - 1
        header = struct.pack("!BBHI", packets.TCP, 0, number * size | more, ident)
        made.append(frame(row, whole[:4] + struct.pack("!HB", 8 + len(part), 44) + whole[7:40] + header + part))
    return made


def _with(rows, number, frames, make=None):
    """Records in which the row of that number is those frames."""
    made = records(rows, make)
    return (made[:number - 1] + [(made[number - 1][0] + place, each, None) for place, each in enumerate(frames)]
            + made[number:])


@capture
def fragments():
    """The client's FIN in three fragments of 8 octets, the last first; the server's data in two, in order."""
    fin = _fragments(ALL[FIN - 1], 8, 7)
    made = _with(ALL, FIN, [fin[2], fin[0], fin[1]])
    data = _fragments(ALL[5], 400, 8)
    return made[:5] + [(made[5][0] + place, each, None) for place, each in enumerate(data)] + made[6:]


@capture
def fragments_ipv6():
    """The same over IPv6: the client's FIN in three fragments."""
    fin = _fragments6(ALL[FIN - 1], 8, 7)
    return _with(ALL, FIN, [fin[2], fin[0], fin[1]], lambda _, row: frame(row, packet(row, 6)))


@capture
def fragment_first_only():
    """Of the server's data with its FIN only the first fragment was captured, header and flags included."""
    rows = ALL[:5] + [(80, "S", "FPA", 1, 101, ANSWER), (100, "C", "A", 101, 402, 0), (110, "C", "FA", 101, 402, 0),
                      (130, "S", "A", 402, 102, 0)]
    return _with(rows, 6, _fragments(rows[5], 208, 8)[:1])


@capture
def fragment_last_only():
    """Of the server's data only the last fragment was captured."""
    return _with(ALL, 6, _fragments(ALL[5], 208, 8)[1:])


def main():
    """Write them, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    wanted = parser.parse_args()
    wrong = 0
    for name, make in CAPTURES.items():
        data = packets.pcap(packets.ETHERNET, make())
        places = [folder for folder in (HERE / "cases", HERE / "cases" / "open") if (folder / f"{name}.txt").exists()]
        if len(places) != 1:
            wrong += 1
            print(f"{name}: {len(places)} cases of that name")
            places = places or [HERE / "cases"]
        path = places[0] / f"{name}.pcap"
        if not wanted.check:
            path.write_bytes(data)
        elif not path.exists() or path.read_bytes() != data:
            wrong += 1
            print(f"{path.name} is not what odd_lengths.py makes")
    print(f"{len(CAPTURES)} captures, {wrong} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
