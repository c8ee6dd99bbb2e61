# SPDX-License-Identifier: GPL-2.0-or-later
"""The connections of a capture, each incarnation of a pair of sockets on its own, put together from what the fields say
of each segment: what views of whole connections are held against.

How a connection stands at the end is reckoned here from times and states alone.
"""

import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tables import ATTEMPTS, CLOSERS, EVENTS, RESET_CAUSES, STATES  # noqa: E402

OVER = ("CLOSED", "TIME_WAIT", "LISTEN")
PASSED_THROUGH = ("SYN_RCVD", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK")
TIME_WAIT_S, STUCK_AFTER_S = 240, 60  # as the preferences are by default
CLIENT, SERVER = 0, 1
SEVERITIES = {0x200000: "chat", 0x400000: "note", 0x600000: "warning"}  # as Wireshark's PI_ constants
ROLES = ("client", "server")

# Fields of ends by direction and by role, and those that repeat others, are made in new series only where something
# names them.
_NAMED = [f"tcpstate.{end}{what}" for end in ("src", "dst")
          for what in ("", ".event", ".left", ".entered", ".dwell", ".since", ".confirmed")]
_NAMED += [f"tcpstate.{end}.{what}" for end in ROLES for what in ("since", "confirmed")]
_NAMED += [f"tcpstate.{end}.{what}" for end in ("local", "remote") for what in ("left", "dwell")]


class Endpoint(NamedTuple):
    """Of one end."""
    address: str
    port: int
    peer: bool = False  # the receiver where a socket is connected to itself

    def __str__(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Step(NamedTuple):
    """A transition of an end."""
    left: str
    entered: str
    event: str
    dwell_ms: object  # None where there is none


class End(NamedTuple):
    """One end of a connection on a segment."""
    state: str
    confirmed: bool
    since: int     # frame; 0: before the capture
    steps: tuple = ()

    def shows(self, other):
        """Whether the other may be the same end, by what is shown of it."""
        return self[:3] == other[:3]


class Segment(NamedTuple):
    """What the fields say."""
    frame: int
    time: Decimal      # seconds since 1970
    ends: dict         # by Endpoint: End
    src: Endpoint
    dst: Endpoint
    client: object     # Endpoint; None where both ends look alike
    local: object      # likewise
    local_by: int
    closed_by: str
    midstream: bool
    syn: object        # number of a SYN, else None
    length: int        # octets of payload
    stream: int
    expert: list       # of its expert items: (word, severity)
    reset_cause: str   # on a RST, else None
    reset_confirmed: bool
    attempt: str       # how the attempt to connect failed, else None

    @property
    def pair(self):
        """What segments of both directions have in common."""
        return frozenset((self.src, self.dst))


def _flag(value):
    return value in ("1", "True")


def _end(fields, name):
    """The End that fields named name.WHAT tell of; fields: (name, value) in order."""
    steps, values, first = [], {}, {}
    for field, value in fields:
        if field == name:
            first.setdefault("state", STATES[int(value)])
        if not field.startswith(name + "."):
            continue
        what = field.removeprefix(name + ".")
        first.setdefault(what, value)
        if what == "event":
            values = {}
        values[what] = value
        if what == "entered":
            dwell = values.get("dwell")
            steps.append(Step(STATES[int(values["left"])], STATES[int(value)], EVENTS[int(values["event"])],
                              None if dwell is None else float(dwell) * 1000))
    return End(first["state"], _flag(first["confirmed"]), int(first.get("since", 0)), tuple(steps))


def _expert(fields):
    found = []
    for name, value in fields:
        if name.startswith("tcpstate.expert."):
            word = name.removeprefix("tcpstate.expert.")
        elif name == "_ws.expert.severity":
            found.append((word, SEVERITIES[int(value)]))
    return found


def _alike(wanted, ends):
    """The Endpoint whose End may be the wanted one; None if more than one may."""
    found = [endpoint for endpoint, end in ends.items() if end.shows(wanted)]
    return found[0] if len(found) == 1 else None


def _local(fields, ends):
    """The local Endpoint: on 4.0 fields of local and remote are in every tree, on others too."""
    return _alike(_end(fields, "tcpstate.local"), ends)


def _segment(fields, frame, time, network, tcp):
    """From the fields of one layer "tcpstate", those of its IP and of its TCP by name."""
    src, dst = (Endpoint(network[f"{'ipv6' if 'ipv6.src' in network else 'ip'}.{end}"], int(tcp[f"tcp.{end}port"]))
                for end in ("src", "dst"))
    if src == dst:
        dst = dst._replace(peer=True)
    every = dict(reversed(fields))  # the first of each name
    ends = {src: _end(fields, "tcpstate.src"), dst: _end(fields, "tcpstate.dst")}
    return Segment(frame, time, ends, src, dst, _alike(_end(fields, "tcpstate.client"), ends), _local(fields, ends),
                   int(every["tcpstate.local.by"]), CLOSERS[int(every.get("tcpstate.closed_by", 0))],
                   "tcpstate.midstream" in every, tcp["tcp.seq_raw"] if _flag(tcp["tcp.flags.syn"]) else None,
                   int(tcp["tcp.len"]), int(tcp["tcp.stream"]), _expert(fields),
                   RESET_CAUSES[int(every.get("tcpstate.reset_cause", 0))],
                   _flag(every.get("tcpstate.reset_cause.confirmed")),
                   ATTEMPTS[int(every.get("tcpstate.attempt", 0))])


def _segments_of_packet(packet):
    network, tcp = {}, {}
    for layer in packet.iter("proto"):  # some have others within
        fields = [(field.get("name"), field.get("show")) for field in layer.iter("field")]
        match layer.get("name"):
            case "geninfo":
                every = {field.get("name"): field for field in layer.iter("field")}
                frame, time = int(every["num"].get("show")), Decimal(every["timestamp"].get("value"))
            case "ip" | "ipv6":
                network = dict(reversed(fields))
            case "tcp":
                tcp = dict(reversed(fields))
            case "tcpstate":
                yield _segment(fields, frame, time, network, tcp)


def segments_of(tshark, capture, arguments=(), expression="tcpstate"):
    """The segments of a capture, read twice, of frames that pass a filter."""
    named = " or ".join(_NAMED)
    out = tshark.run(["-2", *arguments, "-T", "pdml", "-Y", f"({expression}) and (tcpstate or {named})"],
                     capture).stdout
    return [segment for packet in ET.fromstring(out).iter("packet") for segment in _segments_of_packet(packet)]


class Final(NamedTuple):
    """How an end stands at the end of the capture."""
    state: str
    confirmed: bool
    since: int      # frame; 0: before the capture, or by a timer
    age: Decimal    # seconds
    at_least: bool  # the state is older than the capture
    left_open: bool

    @property
    def mark(self):
        """As the table has it."""
        return self.state + "?" * (not self.confirmed)


class Connection:
    """An incarnation: its segments, in order."""

    def __init__(self, number):
        self.number = number
        self.segments = []
        self.ended = None  # when the next incarnation of its sockets began

    def endpoint(self, role):
        """Of the client or the server, as of the latest segment that tells them apart."""
        client = next((s.client for s in reversed(self.segments) if s.client), None)
        if client is None:  # the higher port, else the first sender
            client = max((self.segments[0].src, self.segments[0].dst), key=lambda end: end.port)
        return client if role == CLIENT else next(end for end in self.segments[-1].ends if end != client)

    def role(self, endpoint):
        """CLIENT or SERVER."""
        return CLIENT if endpoint == self.endpoint(CLIENT) else SERVER

    @property
    def closed_by(self):
        """Who ended it."""
        return self.segments[-1].closed_by

    @property
    def reset(self):
        """The first segment by whose RST an end went; None if there is none."""
        return next((segment for segment, _, step in self.steps() if step.event in ("snd RST", "rcv RST")), None)

    @property
    def why(self):
        """What the table tells below the row: why it was reset, or how the attempt failed; "" for neither."""
        attempt, reset = self.segments[-1].attempt, self.reset
        if attempt and attempt != "refused by RST":
            return attempt
        return reset.reset_cause + ("" if reset.reset_confirmed else "?") if reset else ""

    def steps(self):
        """(segment, role, step) in order: on each segment the sender's first."""
        for segment in self.segments:
            for endpoint in (segment.src, segment.dst):
                for step in segment.ends[endpoint].steps:
                    yield segment, self.role(endpoint), step

    def final(self, endpoint, end, time_wait=TIME_WAIT_S, stuck_after=STUCK_AFTER_S):
        """The Final of an end. end: when the capture ends."""
        me, now = self.segments[-1].ends[endpoint], self.ended or end
        times = {segment.frame: segment.time for segment in self.segments}
        age = max(Decimal(0), now - (times[me.since] if me.since else self.segments[0].time))
        if me.state == "TIME_WAIT" and age >= time_wait:
            return Final("CLOSED", False, 0, age - time_wait, me.since == 0, False)
        left_open = self.ended is None and me.state in PASSED_THROUGH and age > stuck_after
        return Final(me.state, me.confirmed, me.since, age, me.since == 0, left_open)

    def finals(self, end, **preferences):
        """Of client and server."""
        return [self.final(self.endpoint(role), end, **preferences) for role in (CLIENT, SERVER)]


def opens(segment, latest_syn):
    """Whether the segment begins an incarnation of sockets that are known already.

    A socket that was in SYN_SENT already and repeats its SYN, number latest_syn, is no new one: figure 9.
    """
    steps = [step for end in segment.ends.values() for step in end.steps]
    tries_on = segment.syn == latest_syn and "SYN_SENT" not in [step.entered for step in steps]
    return segment.ends[segment.src].state == "SYN_SENT" and not tries_on and any(
        step.left in OVER and step.entered in ("SYN_SENT", "SYN_RCVD") for step in steps)


def connections_of(segments):
    """In order of appearance."""
    found, latest, syns = [], {}, {}
    for segment in segments:
        pair = segment.pair
        if pair not in latest or opens(segment, syns.get((segment.src, segment.dst))):
            if pair in latest:
                latest[pair].ended = segment.time
            latest[pair] = Connection(len(found) + 1)
            found.append(latest[pair])
        latest[pair].segments.append(segment)
        if segment.syn is not None:
            syns[segment.src, segment.dst] = segment.syn
    return found
