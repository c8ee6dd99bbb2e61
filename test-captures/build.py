#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rebuild every hand-made capture: the figures of RFC 9293, and the odd ones.

Each is made from a ladder (see README.md), which says both what is on the wire and what states
an observer must show; the same bytes come out each time. CAPTURES, by name, is what tests ask
for the truth about a capture. Run it to write the files; --check only compares them.
"""

import argparse
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import packets
from packets import CLIENT4, CLIENT6, CLIENT_PORT, SERVER4, SERVER6, SERVER_PORT

HERE = Path(__file__).resolve().parent
FIGURES = sorted((HERE / "figures").glob("*.ladder"))

_ROW = re.compile(r"(\w+)(\??)\s+(-->|<--)\s+(\S+)\s+(-->|<--)\s+(\w+)(\??)")
_TAG = re.compile(r"<(SEQ|ACK|CTL|DATA|WND)=([^>]+)>")


@dataclass(frozen=True)
class Row:
    """A segment of a ladder, and both ends' states after it. A_STATE? means assumed."""
    time_us: int            # since the capture began
    from_a: bool
    seq: int
    ack: int                # 0 without the ACK flag
    flags: tuple
    window: int
    length: int             # bytes of payload
    a_state: str
    b_state: str
    a_confirmed: bool
    b_confirmed: bool


def read_ladder(path):
    """The rows of a ladder file."""
    rows, time_us, pause_us = [], 0, 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line or re.fullmatch(r"[A-Z_0-9]+\s+[A-Z_0-9]+", line):
            continue
        if pause := re.fullmatch(r"\+([0-9.]+) s", line):
            pause_us = round(float(pause[1]) * 1e6)
            continue
        match = _ROW.fullmatch(line)
        if not match or match[3] != match[5] or _TAG.sub("", match[4]):
            raise ValueError(f"{path.name}:{number}: not a ladder row: {line}")
        tags = dict(_TAG.findall(match[4]))
        flags = tuple(tags["CTL"].split(","))
        if ("ACK" in tags) != ("ACK" in flags):
            raise ValueError(f"{path.name}:{number}: ACK number and ACK flag disagree")
        if rows:
            time_us += pause_us or 100000
        pause_us = 0
        rows.append(Row(time_us, match[3] == "-->", int(tags["SEQ"]), int(tags.get("ACK", 0)),
                        flags, int(tags.get("WND", 65535)), int(tags.get("DATA", 0)),
                        match[1], match[6], not match[2], not match[7]))
    return rows


@dataclass(frozen=True)
class Pair:
    """Whose connection it is: addresses and ports of A and B."""
    a: str = CLIENT4
    b: str = SERVER4
    a_port: int = CLIENT_PORT
    b_port: int = SERVER_PORT


ORDINARY = Pair()


def segment(row, pair=ORDINARY, **lies):
    """The TCP segment of a row; lies as for packets.tcp."""
    a, b = (pair.a, pair.a_port), (pair.b, pair.b_port)
    (src, sport), (dst, dport) = (a, b) if row.from_a else (b, a)
    payload = (b"tcpstate " * (row.length // 9 + 1))[:row.length]
    return packets.tcp(src, dst, sport, dport, row.seq, row.ack, row.flags, row.window, payload,
                       **lies)


def ip_packet(row, pair=ORDINARY, **lies):
    """The IP packet of a row."""
    src, dst = (pair.a, pair.b) if row.from_a else (pair.b, pair.a)
    return packets.ip(src, dst, packets.TCP, segment(row, pair, **lies))


def ethernet(row):
    """The plain Ethernet frame of a row."""
    return packets.ethernet(ip_packet(row), row.from_a)


@dataclass(frozen=True)
class Capture:
    """A hand-made capture: its file, how it is made, and the truth about it."""
    path: Path
    meaning: str
    link_type: int
    records: list                   # for packets.write_pcap
    source: str                     # the ladder, or "" where none can say it
    connections: list = ()          # rows of each connection, in order of first appearance
    local: str = "A"                # which end must be shown as local; "" if either may


CAPTURES = {}


def _add(capture):
    CAPTURES[capture.path.stem] = capture


def _each(rows, frame):
    """Records of one frame per row."""
    return [(row.time_us, frame(row), None) for row in rows]


def _add_ladder(path, folder, **truth):
    rows = read_ladder(path)
    meaning = " ".join(line.lstrip("# ") for line in path.read_text().split("\n\n")[0].splitlines()
                       if "SPDX" not in line)
    _add(Capture(folder / f"{path.stem}.pcap", meaning, packets.ETHERNET, _each(rows, ethernet),
                 f"{path.parent.name}/{path.name}", [rows], **truth))


WHOLE = HERE / "odd" / "whole.ladder"


def _add_whole(name, meaning, make, link_type=packets.ETHERNET, connections=None, local="A"):
    """A capture that carries whole.ladder in its own way: make(rows) gives its records."""
    rows = read_ladder(WHOLE)
    _add(Capture(HERE / "odd" / f"{name}.pcap", meaning, link_type, make(rows), "odd/whole.ladder",
                 connections(rows) if connections else [rows], local))


def _wrapped(name, meaning, frame, link_type=packets.ETHERNET, local="A"):
    """whole.ladder with each segment in a frame of its own kind."""
    _add_whole(name, meaning, lambda rows: _each(rows, frame), link_type, local=local)


def _tunnelled(row, tunnel, pair=ORDINARY):
    """A row in a tunnel between two other machines."""
    ends = ("192.0.2.1", "192.0.2.2") if row.from_a else ("192.0.2.2", "192.0.2.1")
    return packets.ethernet(tunnel(*ends, ip_packet(row, pair)), row.from_a)


V6 = Pair(CLIENT6, SERVER6)


def _fragments(rows):
    """Every segment in fragments of 16 bytes, the second of two segments' back to front."""
    records = []
    for ident, row in enumerate(rows, 1):
        src, dst = (CLIENT4, SERVER4) if row.from_a else (SERVER4, CLIENT4)
        pieces = packets.ip_fragments(src, dst, packets.TCP, segment(row), 16, ident)
        for place, piece in enumerate(pieces if ident % 2 else reversed(pieces)):
            records.append((row.time_us + 1000 * place, packets.ethernet(piece, row.from_a), None))
    return records


def _after(rows, number, extra):
    """One frame per row, and after row `number` (from 1) the extra (frame, captured) ones."""
    records = _each(rows, ethernet)
    time_us = rows[number - 1].time_us
    inserted = [(time_us + 1000 * n, frame, captured)
                for n, (frame, captured) in enumerate(extra, 1)]
    return records[:number] + inserted + records[number:]


def _icmp_quotes(pair, quoted_bytes):
    """A maker: after row 7, ICMP errors that quote segments which close the connection."""
    def make(rows):
        fin, reset = rows[7], replace(rows[6], flags=("RST",), ack=0)
        reply = replace(rows[5], flags=("FIN", "ACK"), length=0)
        errors = [packets.icmp_error(pair.b, pair.a, ip_packet(fin, pair), quoted_bytes),
                  packets.icmp_error(pair.b, pair.a, ip_packet(reset, pair)),
                  packets.icmp_error(pair.a, pair.b, ip_packet(reply, pair))]
        frames = [(row.time_us, packets.ethernet(ip_packet(row, pair), row.from_a), None)
                  for row in rows]
        return frames[:7] + [(rows[6].time_us + 1000 * n, packets.ethernet(error, n == 3), None)
                             for n, error in enumerate(errors, 1)] + frames[7:]
    return make


def _truncated(rows):
    """Frames cut after the TCP header; four FINs, after row 7, cut within it; options cut."""
    fin = rows[7]
    cut = [(ethernet(fin), captured) for captured in (40, 34 + 8, 34 + 13, 34 + 19)]
    records = [(time_us, frame, captured or 34 + 20)
               for time_us, frame, captured in _after(rows, 7, cut)]
    options = b"\1\1\x08\x0a" + bytes(8)
    with_options = packets.ethernet(ip_packet(fin, options=options))
    return records[:11] + [(fin.time_us, with_options, 34 + 20)] + records[12:]


def _bad_header_lengths(rows):
    """FINs and a RST whose header is shorter than a header, or longer than the segment."""
    fin, reset = rows[7], replace(rows[6], flags=("RST",), ack=0)
    return _after(rows, 7, [
        (packets.ethernet(ip_packet(row, header_words=words)), None)
        for row, words in ((fin, 4), (fin, 0), (fin, 15), (reset, 4), (reset, 15))])


def _moved(row, later_us, further):
    """The same row on another connection: later, and with other sequence numbers."""
    return replace(row, time_us=row.time_us + later_us, seq=(row.seq + further) % 2**32,
                   ack=(row.ack + further) % 2**32 if "ACK" in row.flags else 0)


SWAPPED = Pair(a_port=SERVER_PORT, b_port=CLIENT_PORT)
NEIGHBOUR = Pair(a_port=CLIENT_PORT + 1)


def _second(rows):
    return [_moved(row, 50000, 7000) for row in rows]


def _swapped_ports(rows):
    """Two connections in turn between the same hosts, with each other's ports."""
    first = [(row.time_us, ethernet(row), None) for row in rows]
    second = [(row.time_us, packets.ethernet(ip_packet(row, SWAPPED), row.from_a), None)
              for row in _second(rows)]
    return [record for pair in zip(first, second) for record in pair]


def _a_msdu(rows):
    """Each frame holds a segment of either of two connections."""
    return [(row.time_us, packets.a_msdu([ip_packet(row), ip_packet(other, NEIGHBOUR)]), None)
            for row, other in zip(rows, _second(rows))]


def _busy_server():
    """Records, and rows of each connection: what an operator with a leak may capture. Of each ladder
    so many connections, one a second: of port 5000 three leaked and two closed ones, on port 8080
    four that never open."""
    crowd = [(rows, Pair(a_port=CLIENT_PORT + n))
             for n, rows in enumerate([read_ladder(HERE / "odd" / "close-wait-leak.ladder")] * 3
                                      + [read_ladder(WHOLE)] * 2)]
    crowd += [(read_ladder(HERE / "odd" / "syn-unanswered.ladder"),
               Pair(a=f"10.9.0.{70 + n}", b_port=8080)) for n in range(4)]
    connections = [([_moved(row, 1000000 * n, 7000 * n) for row in rows], pair)
                   for n, (rows, pair) in enumerate(crowd)]
    records = [(row.time_us, packets.ethernet(ip_packet(row, pair), row.from_a), None)
               for rows, pair in connections for row in rows]
    return sorted(records, key=lambda record: record[0]), [rows for rows, _ in connections]


def _self_connect():
    """A socket connected to itself, as Linux does it: SYN, SYN,ACK, data, FIN, all to itself."""
    itself = Pair(CLIENT4, CLIENT4, CLIENT_PORT, CLIENT_PORT)
    script = [(100, 0, ("SYN",), 0), (100, 101, ("SYN", "ACK"), 0), (101, 101, ("ACK",), 0),
              (101, 101, ("PSH", "ACK"), 10), (111, 111, ("ACK",), 0),
              (111, 111, ("FIN", "ACK"), 0), (112, 112, ("ACK",), 0)]
    records = []
    for n, (seq, ack, flags, length) in enumerate(script):
        row = Row(100000 * n, True, seq, ack, flags, 65535, length, "", "", False, False)
        records.append((row.time_us, packets.ethernet(ip_packet(row, itself)), None))
    return records


def _collect():
    for path in FIGURES:
        _add_ladder(path, HERE)
    for path in sorted((HERE / "odd").glob("*.ladder")):
        # Which of two callers is the local one is open where the server calls back.
        _add_ladder(path, HERE / "odd",
                    local="" if path.stem == "server-reboots-and-calls" else "A")

    _wrapped("vlan", "Under two VLAN tags.",
             lambda row: packets.ethernet(ip_packet(row), row.from_a, (9, 10)))
    _wrapped("padded", "Frames padded to 60 bytes: padding is not TCP data.",
             lambda row: packets.ethernet(ip_packet(row), row.from_a, padded=True))
    _wrapped("raw-ip", "No link layer.", ip_packet, packets.RAW_IP)
    _wrapped("cooked-at-server", "Linux cooked, captured at B, which is therefore local.",
             lambda row: packets.linux_cooked(ip_packet(row), not row.from_a),
             packets.LINUX_COOKED, local="B")
    _wrapped("over-ipv6", "Over IPv6.",
             lambda row: packets.ethernet(ip_packet(row, V6), row.from_a))
    _wrapped("gre", "In a GRE tunnel.", lambda row: _tunnelled(row, packets.gre))
    _wrapped("ip-in-ip", "IPv4 in an IPv4 tunnel.", lambda row: _tunnelled(row, packets.ip_in_ip))
    _wrapped("ipv6-in-ipv4", "IPv6 in an IPv4 tunnel.",
             lambda row: _tunnelled(row, packets.ip_in_ip, V6))
    _wrapped("port-zero", "B's port is 0.", lambda row: packets.ethernet(
        ip_packet(row, Pair(b_port=0)), row.from_a))
    _add_whole("ip-fragments", "Every segment in IP fragments, some back to front.", _fragments)
    _add_whole("icmp-quote", "ICMP errors quote segments: those move nothing.",
               _icmp_quotes(ORDINARY, 28))
    _add_whole("icmpv6-quote", "ICMPv6 errors quote segments: those move nothing.",
               _icmp_quotes(V6, 48))
    _add_whole("truncated", "Headers cut short by the capture have no state; where only payload "
               "or options are cut, nothing changes.", _truncated)
    _add_whole("bad-header-length", "Impossible TCP header lengths: no state.",
               _bad_header_lengths)
    _add_whole("doubled", "Every frame twice, as any-interface captures on a bridge have it.",
               lambda rows: [(row.time_us + again, ethernet(row), None)
                             for row in rows for again in (0, 10)],
               connections=lambda rows: [[row for row in rows for again in (0, 10)]])
    _add_whole("time-runs-backwards", "Each frame is stamped 0.1 s before the one ahead of it.",
               lambda rows: [(10000000 - row.time_us, ethernet(row), None) for row in rows])
    _add_whole("swapped-ports", "Two connections in turn, with each other's ports.",
               _swapped_ports, connections=lambda rows: [rows, _second(rows)])
    _add_whole("a-msdu", "Two TCP segments in each frame: an aggregated IEEE 802.11 frame.",
               _a_msdu, packets.IEEE802_11, lambda rows: [rows, _second(rows)])
    records, connections = _busy_server()
    _add(Capture(HERE / "odd" / "busy-server.pcap",
                 "A server that leaks: of five connections it never closes three; at another port "
                 "four wait for the handshake's last ACK.",
                 packets.ETHERNET, records, "odd/close-wait-leak.ladder, whole.ladder and "
                 "syn-unanswered.ladder", connections))
    _add(Capture(HERE / "odd" / "self-connect.pcap", "Both ends are the same address and port.",
                 packets.ETHERNET, _self_connect(), ""))


_collect()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    wanted = parser.parse_args()
    stale = 0
    for capture in CAPTURES.values():
        data = packets.pcap(capture.link_type, capture.records)
        if wanted.check:
            if not capture.path.exists() or capture.path.read_bytes() != data:
                print(f"{capture.path.name}: is not what build.py makes", file=sys.stderr)
                stale += 1
        else:
            capture.path.write_bytes(data)
    print(f"{len(CAPTURES)} captures, {stale} stale")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
