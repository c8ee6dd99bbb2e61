#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures written down segment by segment, with what is right on each.

    segments.py CASE.txt OUT.pcap

A case is a text file. A comment begins with #, at the start of a line or after a blank. Lines:

    @ C 100000          the client's initial sequence number from here on (S: the server's)
    @ ports 40000 80    the ports, the client's first
    @ pcap FILE         the segments are those of this recording; the lines below only judge them
    @ preference time_wait 60       a preference of the plugin, for the whole case
    0.020 C PA 1 1 100 502 ws=7     a segment: seconds, sender, flags (S A F R P U), sequence and
                        acknowledgement number, octets of payload, window as sent, then options:
                        mss= ws= ts=VALUE,ECHO (TCP); id= ttl= (IP); cap= (octets captured of the frame)

Numbers are relative to the initial numbers, 1000 of the client and 5000 of the server unless set.
The client is 192.0.2.1, the server 198.51.100.1.

What is right follows on the same line after "|". Of a recording, lines begin with "|", one for each frame.

    | SYN_SENT SYN_RCVD?  refused closed=refused

    two states      of the client, of the server, after the segment
        X           confirmed or assumed
        X?          must not be confirmed
        X!          must be confirmed
        X/Y         either, each with a mark of its own
        *           anything
        none        the frame shows no state
    words           the expert items on this frame: these, and those with "?" perhaps
    closed=NAME     tcpstate.closed_by from this frame on, "closed=-": none, as at the start;
                    "closed=*": whatever
    no-dwell        no state was left here that had a dwell time
    ...             (three dots) not judged: neither states nor items, closed_by neither

After all segments:

    = client STATE      of the first connection that -z tcpstate,json prints, at its end (also: server)
    = rows N            of that table
"""

import struct
import sys
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "test-captures"))

import packets  # noqa: E402  (found only now)

ADDRESSES = {"C": "192.0.2.1", "S": "198.51.100.1"}
_FLAGS = {"F": "FIN", "S": "SYN", "R": "RST", "P": "PSH", "A": "ACK", "U": "URG"}
_NOT_JUDGED = "..."


class Malformed(ValueError):
    """A line of a case that has no meaning."""


class Expected(NamedTuple):
    """What is right on a frame."""
    line: int
    states: tuple     # texts of the client's and the server's; None: not judged
    items: frozenset  # expert items that there are, by the last word of their names
    perhaps: frozenset  # those that there may be
    closed_by: str    # "-": none, "*": not judged
    no_dwell: bool

    @property
    def is_judged(self):
        """Whether anything is said of it."""
        return self.states is not None


class Case(NamedTuple):
    """A case, read."""
    records: list      # (microseconds, frame, octets captured or None) as packets.pcap() takes them
    recording: str     # path of the recording, if the segments are not here; else ""
    expected: list     # of Expected, one for each frame
    table: dict        # client, server: state in the table of connections; rows: their number
    preferences: dict


def _options(words):
    options = b""
    if "mss" in words:
        options += struct.pack("!BBH", 2, 4, int(words["mss"]))
    if "ws" in words:
        options += struct.pack("!BBBB", 1, 3, 3, int(words["ws"]))
    if "ts" in words:
        value, echo = words["ts"].split(",")
        options += struct.pack("!BBBBII", 1, 1, 8, 10, int(value) % 2**32, int(echo) % 2**32)
    return options


def _stamp_ip(packet, ident, ttl):
    """An IPv4 packet with another identification and time to live; "Don't Fragment" stays."""
    header = packet[:4] + struct.pack("!H", ident % 2**16) + packet[6:8] + bytes((ttl,)) + packet[9:10]
    header += b"\0\0" + packet[12:20]
    return header[:10] + struct.pack("!H", packets.checksum(header)) + header[12:] + packet[20:]


class _Reader:
    """The state of a case while it is read."""

    def __init__(self):
        self.case = Case([], "", [], {}, {})
        self._initial = {"C": 1000, "S": 5000}
        self._ident = {"C": 100, "S": 500}
        self._ports = {"C": 40000, "S": 80}
        self._closed_by = "-"

    def setting(self, words, folder):
        """A line that begins with @."""
        match words:
            case [("C" | "S") as side, number]:
                self._initial[side] = int(number)
            case ["ports", client, server]:
                self._ports = {"C": int(client), "S": int(server)}
            case ["pcap", name]:
                self.case = self.case._replace(recording=str(folder / name))
            case ["preference", name, value]:
                self.case.preferences[name] = value
            case _:
                raise Malformed(f"@ {' '.join(words)}")

    def segment(self, words):
        """The part of a line before "|"."""
        time_s, side, flags, seq, ack, octets, window = words[:7]
        options = dict(word.split("=", 1) for word in words[7:])
        unknown = options.keys() - {"mss", "ws", "ts", "id", "ttl", "cap"}
        if side not in ADDRESSES or unknown:
            raise Malformed(" ".join(words))
        other = "S" if side == "C" else "C"
        names = [_FLAGS[flag] for flag in flags]
        self._ident[side] += 1
        segment = packets.tcp(
            ADDRESSES[side], ADDRESSES[other], self._ports[side], self._ports[other],
            self._initial[side] + int(seq), self._initial[other] + int(ack) if "ACK" in names else 0,
            names, int(window), b"x" * int(octets), _options(options))
        packet = _stamp_ip(packets.ip(ADDRESSES[side], ADDRESSES[other], packets.TCP, segment),
                           int(options.get("id", self._ident[side])), int(options.get("ttl", 64)))
        self.case.records.append((round(float(time_s) * 1e6), packets.ethernet(packet, side == "C"),
                                  int(options["cap"]) if "cap" in options else None))

    def judgement(self, line, words):
        """The part of a line after "|"."""
        if words == [_NOT_JUDGED]:
            self.case.expected.append(Expected(line, None, frozenset(), frozenset(), "*", False))
            return
        count = 1 if words[0] == "none" else 2
        items, no_dwell = set(), False
        for word in words[count:]:
            if word.startswith("closed="):
                self._closed_by = word.removeprefix("closed=").replace("_", " ")
            elif word == "no-dwell":
                no_dwell = True
            else:
                items.add(word)
        perhaps = frozenset(word.rstrip("?") for word in items if word.endswith("?"))
        self.case.expected.append(Expected(
            line, tuple(words[:count]), frozenset(w for w in items if not w.endswith("?")), perhaps,
            self._closed_by, no_dwell))


def read(path):
    """The Case in a file."""
    path = Path(path)
    reader = _Reader()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        before, bar, after = line.split(" #")[0].partition("|")
        words = before.split()
        try:
            if words[:1] == ["@"]:
                reader.setting(words[1:], path.parent)
            elif words[:1] == ["="]:
                reader.case.table[words[1]] = words[2]
            elif words or bar:
                if words:
                    reader.segment(words)
                reader.judgement(number, after.split() if bar else [_NOT_JUDGED])
        except (ValueError, KeyError, IndexError) as error:
            raise Malformed(f"{path}:{number}: {line}: {error}") from error
    return reader.case


def build(case):
    """The bytes of its capture."""
    if case.recording:
        return Path(case.recording).read_bytes()
    return packets.pcap(packets.ETHERNET, case.records)


def main():
    """Write the capture of a case."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_bytes(build(read(sys.argv[1])))


if __name__ == "__main__":
    main()
