#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Confirmed states that the same end's next segments contradict: on any capture, without any truth.

    hindsight.py [--jobs J] [CAPTURE-OR-FOLDER ...]      default: test-captures and all below

An end's state X is held against it until its next segment if it was still confirmed after the segment
before that one, or was confirmed on the end's latest segment, and no SYN or RST was captured since. The
end's next segment contradicts it, where that

  back    proves a state Y, confirmed or by an event of evidence, and RFC 9293 figure 5 has no way from X
          to Y. A SYN with a number that is not the connection's begins an incarnation, and explains all;
          so does an acknowledgement of more than a FIN that was acknowledged before.
  late    acknowledges a FIN that was captured while the end stayed confirmed in a state before it.
  old     goes on in the connection that the end had before the SYN which put it into SYN_SENT.
  alive   is sent out of CLOSED: no SYN, no RST, not merely captured in the wrong order, and shown as
          alive or so late that it was not in flight.

What was not captured explains a state further on, never one further back. Prints file, frame, end and
states. Exit status 1 if there is any contradiction.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import collections
import concurrent.futures
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent)]

import shown  # noqa: E402  (found only now)
from tshark import Failure, Tshark  # noqa: E402

BUNDLED = HERE.parent.parent / "test-captures"
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_REORDERED_S = 0.010   # what a capture holds in the wrong order is no further apart
_IN_FLIGHT_S = 1.0     # longer than a segment takes that was sent before a RST

# Of tcp_events.def.
_EVIDENCE = range(13, 27)
_OLD_CONNECTION, _OTHER_CONNECTION = 21, 27

# RFC 9293 figure 5: what may follow each state, CLOSED by a reset or a timer apart.
_NEXT = {
    "CLOSED": ("SYN_SENT", "LISTEN", "SYN_RCVD"), "LISTEN": ("SYN_RCVD", "SYN_SENT"),
    "SYN_SENT": ("SYN_RCVD", "ESTABLISHED"), "SYN_RCVD": ("ESTABLISHED", "FIN_WAIT_1", "LISTEN", "CLOSE_WAIT"),
    "ESTABLISHED": ("FIN_WAIT_1", "CLOSE_WAIT"), "FIN_WAIT_1": ("FIN_WAIT_2", "CLOSING", "TIME_WAIT"),
    "FIN_WAIT_2": ("TIME_WAIT",), "CLOSING": ("TIME_WAIT",), "CLOSE_WAIT": ("LAST_ACK",),
    "LAST_ACK": (), "TIME_WAIT": (),
}


def _reachable(state):
    """A state and all that may follow it in the same incarnation."""
    found, waiting = {"CLOSED"}, [state]
    while waiting:
        each = waiting.pop()
        if each not in found or each == state:
            found.add(each)
            waiting += [after for after in _NEXT[each] if after not in found]
    return found


REACHABLE = {state: _reachable(state) for state in _NEXT}
REACHABLE["CLOSED"] = {"CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD"}


class Segment(NamedTuple):
    """A captured segment and what is shown after it."""
    frame: int
    sender: int       # 0 or 1
    flags: int
    seq: int
    ack: int
    length: int
    time_s: float
    shown: shown.Shown

    @property
    def next_seq(self):
        """The number after its last."""
        return (self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)) % 2**32


class Contradiction(NamedTuple):
    """A confirmed state that was none."""
    frame: int       # on which it shows
    earlier: int     # on which the state was shown
    sender: int
    state: str
    after: str
    rule: str

    def __str__(self):
        return (f"frame {self.frame}: {self.rule}: {self.after} after {self.state}, "
                f"confirmed on frame {self.earlier}")


def _is_after(one, other):
    """Whether a number comes after another."""
    return 0 < (one - other) % 2**32 < 2**31


class _End:
    """What is remembered of one end of a pair, from its first segment on."""

    def __init__(self, index):
        self.index = index
        self._held = None          # (state, frame, segment): confirmed on its latest own segment; None
        self._before = None        # (state, frame): confirmed after the segment before; None
        self._fin_of_peer = None   # number after a FIN that left it confirmed in a state without that FIN
        self._numbers = set()      # that began its segments, or of its SYNs: one below

    def take(self, segment):
        """The Contradiction that a segment shows, or None."""
        own = segment.sender == self.index
        state, sure = segment.shown.states[not own], segment.shown.confirmed[not own]
        found = self._judge(segment, state, sure) if own else None
        if own:
            self._fin_of_peer = None
            self._held = (state, segment.frame, segment) if sure else None
            self._numbers.add(segment.next_seq if segment.flags & SYN else segment.seq)
        else:
            if segment.flags & (SYN | RST):
                self._held = self._fin_of_peer = None
            elif segment.flags & FIN and sure and state in _WITHOUT_FIN_OF_PEER:
                self._fin_of_peer = segment.next_seq
            if segment.flags & ACK:
                self._numbers.add(segment.ack)
        self._before = (state, segment.frame) if sure else None
        return found

    def _judge(self, segment, state, sure):
        if segment.flags & SYN and (segment.seq + 1) % 2**32 not in self._numbers:
            return None
        if _OTHER_CONNECTION in segment.shown.events:
            return None
        last = self._held[2] if self._held else None
        for held in (self._before, self._held):
            rule = self._rule(segment, state, sure, held, last) if held else None
            if rule:
                return Contradiction(segment.frame, held[1], self.index, held[0], state, rule)
        return None

    def _rule(self, segment, state, sure, found, last):
        """The name of the rule by which a segment contradicts what is held against it, or None. last: the
        end's latest segment before, if that proved its state."""
        events, held = segment.shown.events, found[0]
        if _OLD_CONNECTION in events and held == "SYN_SENT":
            return "old"
        if held == "CLOSED":
            if segment.flags & (SYN | RST) or (state == "CLOSED" and not (
                    last and segment.time_s - last.time_s > _IN_FLIGHT_S)):
                return None
            return None if last and segment.time_s - last.time_s < _REORDERED_S and not _is_after(
                segment.next_seq, last.next_seq) else "alive"
        if (sure or any(event in _EVIDENCE for event in events)) and state not in REACHABLE[held]:
            return "back"
        if (found is self._before and self._fin_of_peer is not None and segment.flags & (ACK | RST) == ACK
                and held in _WITHOUT_FIN_OF_PEER and not _is_after(self._fin_of_peer, segment.ack)):
            return "late"
        return None


_WITHOUT_FIN_OF_PEER = ("SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2")


def contradictions(segments):
    """The Contradictions among the Segments of one pair, in the order of the capture."""
    ends = _End(0), _End(1)
    return [found for segment in segments for end in ends if (found := end.take(segment))]


# Reading captures

_COLUMNS = ("frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport",
            "tcp.flags", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", *shown.FIELDS)
_AT_ONCE = 40        # captures read by one sharkd, which keeps memory of each for good
_SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".trace", ".pcap.gz", ".pcapng.gz", ".cap.gz")


def _segments(server, path):
    """Pair to Segments of a capture. Frames that hold several segments are left out."""
    server.load(path)
    # Custom columns: "field:0" gives all values of a frame, with commas between. No filter: sharkd keeps
    # what passed one for the next capture.
    columns = {f"column{i}": f"{name}:0" for i, name in enumerate(_COLUMNS)}
    pairs, names = collections.defaultdict(list), {}
    for row in server.request("frames", **columns):
        time_s, ip4, ip6, to4, to6, port, to_port, flags, seq, ack, length, *states = row["c"]
        if "," in flags or "," in states[0] or not flags or not states[0]:
            continue
        source = (ip4 or ip6).split(",")[-1], port
        destination = (to4 or to6).split(",")[-1], to_port
        pair = tuple(sorted((source, destination)))
        names.setdefault(pair, (source, destination))
        pairs[pair].append(Segment(
            row["num"], int(source != names[pair][0]), int(flags, 16), int(seq), int(ack or 0), int(length or 0),
            float(time_s.split(",")[0]), shown.parse(states)))
    return {names[pair]: segments for pair, segments in pairs.items()}


def _read_some(paths):
    """A list of (path, lines on contradictions, number of pairs); None for lines where it was no capture."""
    done = []
    with Tshark() as tshark:
        server = None
        for number, path in enumerate(paths):
            if server is None or number % _AT_ONCE == 0:
                if server:
                    server.close()
                server = tshark.sharkd()
                server.request("setconf", name="tcpstate.local_endpoint", value="sender")
            try:
                pairs = _segments(server, path)
            except Failure as error:
                done.append((path, None, str(error)))
                server.close()
                server = None
                continue
            lines = []
            for ends, segments in pairs.items():
                for each in contradictions(segments):
                    end = ends[each.sender]
                    lines.append(f"{path}: frame {each.frame}: {end[0]} port {end[1]} {each.after} after {each.state}, "
                                 f"confirmed on frame {each.earlier} ({each.rule})")
            done.append((path, lines, len(pairs)))
    return done


def _find(paths):
    """The captures among files, and in folders and all below."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.name.endswith(_SUFFIXES) and each.is_file())
        else:
            yield path


def main():
    """Look at the captures that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, default=[BUNDLED], metavar="CAPTURE-OR-FOLDER")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes (1)")
    arguments = parser.parse_args()
    waiting = list(_find(arguments.paths))
    shares = [waiting[i:i + _AT_ONCE] for i in range(0, len(waiting), _AT_ONCE)]
    unread, pairs, found = 0, 0, 0
    files = set()
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        for done in pool.map(_read_some, shares):
            for path, lines, count in done:
                if lines is None:
                    unread += 1
                    print(f"{path}: not read: {count.splitlines()[0]}")
                    continue
                pairs += count
                found += len(lines)
                if lines:
                    files.add(path)
                    print(*lines, sep="\n", flush=True)
    print(f"{len(waiting) - unread} captures, {pairs} pairs of sockets, {found} confirmed states contradicted in "
          f"{len(files)} captures; {unread} files not read")
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
