#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,connections and -z tcpstate,tree, computed again from what the fields say of each segment."""

import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent.parent / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(CAPTURES)]

import packets  # noqa: E402
from tables import CLOSERS  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

STATES = ("CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
          "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")
OVER = ("CLOSED", "TIME_WAIT", "LISTEN")
CLIENT, SERVER = 0, 1


class End(NamedTuple):
    """One end of a connection on a segment."""
    state: str
    assumed: bool
    since: int     # frame; 0: before the capture
    steps: list    # of (left, dwell in ms or None, entered)


class Segment(NamedTuple):
    """What the fields say."""
    frame: int
    time: Decimal
    src: str       # "10.9.0.1:40000"
    dst: str
    src_state: str
    ends: tuple    # client, server
    closed_by: str
    syn: object    # number of a SYN, else None


def states_of(packet):
    """The segment of a packet of PDML, read with the client as the local end; None without a state."""
    layers = packet.findall("proto")
    ours = next((layer for layer in layers if layer.get("name") == "tcpstate"), None)
    if ours is None:
        return None
    every = {field.get("name"): field for layer in layers for field in layer.iter("field")}
    network = "ipv6" if "ipv6.src" in every else "ip"
    text = "[{}]:{}" if network == "ipv6" else "{}:{}"
    endpoints = [text.format(every[f"{network}.{end}"].get("show"), every[f"tcp.{end}port"].get("show"))
                 for end in ("src", "dst")]
    ends = []
    for name in ("tcpstate.local", "tcpstate.remote"):
        field = next(field for field in ours.iter("field") if field.get("name") == name)
        steps, values = [], {}
        for part in field.iter("field"):
            what, value = part.get("name").removeprefix(name + "."), part.get("show")
            values[what] = value
            if what == "event":
                values.pop("dwell", None)
            elif what == "entered":
                dwell = values.pop("dwell", None)
                steps.append((STATES[int(values["left"])], None if dwell is None else
                              float(dwell) * 1000, STATES[int(value)]))
        ends.append(End(STATES[int(field.get("show"))], values["confirmed"] not in ("1", "True"),
                        int(values.get("since", 0)), steps))
    closer = every.get("tcpstate.closed_by")
    return Segment(int(every["num"].get("show")), Decimal(every["timestamp"].get("value")),
                   *endpoints, STATES[int(every["tcpstate.src"].get("show"))], tuple(ends),
                   CLOSERS[int(closer.get("show")) if closer is not None else 0],
                   every["tcp.seq_raw"].get("show")
                   if every["tcp.flags.syn"].get("show") in ("1", "True") else None)


class Connection:
    """An incarnation: its segments, in order."""

    def __init__(self):
        self.segments = []
        self.ended = None  # when the next incarnation of its sockets began

    def endpoints(self):
        """Of client and server; the role of a sender shows where the ends differ."""
        for segment in self.segments:
            client, server = (end.state for end in segment.ends)
            if client != server:
                return ((segment.src, segment.dst) if segment.src_state == client
                        else (segment.dst, segment.src))
        return None

    def row(self, times, end):
        """What the table must say, and where it sorts."""
        last, now = self.segments[-1], self.ended or end
        cells, waits = [], []
        for role in (CLIENT, SERVER):
            me, peer = last.ends[role], last.ends[not role].state
            since = times[me.since] if me.since else self.segments[0].time
            lasted = max(Decimal(0), now - since)
            stuck = me.state not in OVER and (me.state != "ESTABLISHED" or peer in OVER)
            waits.append((stuck, lasted))
            cells += [me.state + "?" * me.assumed, ("" if me.since else ">") +
                      str(lasted.quantize(Decimal("0.001"), "ROUND_DOWN"))]
        any_stuck = any(stuck for stuck, _ in waits)
        wait = max(lasted for stuck, lasted in waits if stuck or not any_stuck)
        stage = (2 if self.ended else 0 if any_stuck else
                 2 if last.ends[CLIENT].state in OVER else 1)
        return (stage, -wait), (*cells, last.closed_by)


def opens(segment, latest_syn):
    """Whether the segment begins an incarnation of sockets that are known already.

    A socket that was in SYN_SENT already and repeats its SYN, number latest_syn, is no new one: figure 9.
    """
    steps = [step for end in segment.ends for step in end.steps]
    tries_on = segment.syn == latest_syn and "SYN_SENT" not in [entered for *_, entered in steps]
    return segment.src_state == "SYN_SENT" and not tries_on and any(
        left in OVER and entered in ("SYN_SENT", "SYN_RCVD") for left, _, entered in steps)


def connections_of(segments):
    """In order of appearance."""
    found, latest, syns = [], {}, {}
    for segment in segments:
        pair = frozenset((segment.src, segment.dst))
        if pair not in latest or opens(segment, syns.get((segment.src, segment.dst))):
            if pair in latest:
                latest[pair].ended = segment.time
            latest[pair] = Connection()
            found.append(latest[pair])
        latest[pair].segments.append(segment)
        if segment.syn is not None:
            syns[segment.src, segment.dst] = segment.syn
    return found


class Statistics(unittest.TestCase):
    """Each bundled capture, and many of them in one."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.captures = [CAPTURES / f"{name}.pcap" for name in (
            "client-closes-first", "close-wait-left-open", "ipv6", "lost-fin", "midstream",
            "refused", "server-aborts", "simultaneous-close", "simultaneous-open",
            "time-wait-reuse", "figure-09", "figure-12", "odd/time-runs-backwards",
            "odd/swapped-ports", "odd/ack-before-syn-ack", "odd/half-open-midstream")]
        cls.many = together(cls.captures, cls.folder / "many.pcapng")

    def segments(self, capture, expression="tcpstate"):
        out = self.tshark.run(["-o", "tcpstate.local_endpoint:client", "-o", "ip.check_checksum:FALSE", "-T", "pdml",
                               "-Y", f"({expression}) and (tcpstate or tcpstate.src)"], capture).stdout
        return [segment for packet in ET.fromstring(out).iter("packet")
                if (segment := states_of(packet))]

    def table(self, capture, arguments=("-z", "tcpstate,connections")):
        """The rows, as lists of cells."""
        lines = self.tshark.run(["-q", *arguments], capture).stdout.splitlines()
        self.assertRegex(lines[0], r"^TCP connections at the end of the capture: \d+,")
        rows = [re.split(r" {2,}", line.replace(">", " >")) for line in lines[2:]]
        rows = [[cell.replace("> ", ">").replace(" ", "") if index < 6 else cell
                 for index, cell in enumerate(row)] for row in rows]
        self.assertEqual(len(rows), int(re.search(r": (\d+),", lines[0])[1]))
        return rows

    def check_table(self, capture, rows, keep=lambda connection: True):
        segments = self.segments(capture)
        times = {segment.frame: segment.time for segment in segments}
        expected = sorted(((*connection.row(times, segments[-1].time), connection.endpoints())
                           for connection in connections_of(segments) if keep(connection)),
                          key=lambda row: row[0])
        got = [(client, server, (client_is, client_for, server_is, server_for, closed_by))
               for client, client_is, client_for, server, server_is, server_for, closed_by in rows]
        # Of equal waits any order will do.
        self.assertEqual(Counter(cells for _, _, cells in got),
                         Counter(cells for _, cells, _ in expected))
        places = defaultdict(list)
        for place, cells, endpoints in expected:
            places[cells].append((place, endpoints))
        order = []
        for client, server, cells in got:
            match = next(candidate for candidate in places[cells]
                         if candidate[1] in ((client, server), None))
            places[cells].remove(match)
            order.append(match[0])
        self.assertEqual(order, sorted(order))

    def test_connections(self):
        for capture in (self.many, *self.captures[::3]):
            with self.subTest(capture=capture.name):
                self.check_table(capture, self.table(capture))
        self.assertEqual(self.table(self.many, ["-2", "-z", "tcpstate,connections"]),
                         self.table(self.many))

    def test_what_is_stuck_comes_first(self):
        rows = self.table(self.many)
        states = [(row[1].rstrip("?"), row[4].rstrip("?")) for row in rows]
        self.assertIn(("FIN_WAIT_2", "CLOSE_WAIT"), states[:3])
        self.assertTrue(set(states[-1]) <= set(OVER), states)

    def test_a_filter_chooses_connections(self):
        """The rows say how a connection ended, also where the filter hides its last segments."""
        everything = self.table(self.many)
        for expression, keep in (
                ("tcp.port == 40100", lambda row: "40100" in row[0] + row[3]),
                ("ipv6", lambda row: row[0].startswith("[")),
                ("tcp.flags.syn == 1 and tcp.flags.ack == 0 and tcp.port == 40900",
                 lambda row: "40900" in row[0] + row[3]),
                ("udp", lambda row: False)):
            with self.subTest(filter=expression):
                rows = self.table(self.many, ["-z", f"tcpstate,connections,{expression}"])
                self.assertEqual(rows, [row for row in everything if keep(row)])

    def test_without_tcp(self):
        capture = self.folder / "no-tcp.pcap"
        capture.write_bytes(packets.pcap(packets.ETHERNET, [(0, packets.ethernet(packets.ip(
            packets.CLIENT4, packets.SERVER4, 17, bytes([0, 1, 0, 2, 0, 8, 0, 0]))), None)]))
        self.assertEqual(self.table(capture), [])

    def test_bad_arguments(self):
        for argument in ("connections,no.such.field", "connections,tcp.port ==", "connectionsx"):
            self.tshark.run(["-q", "-z", f"tcpstate,{argument}"], self.captures[0], refuses=True,
                            expect_stderr=r"tshark: .*tcpstate,connections tap: .+\n")
        listed = self.tshark.run(["-z", "help"], expect_stderr=".*")
        self.assertEqual([name for name in (listed.stdout + listed.stderr).split()
                          if name in ("tcpstate,connections", "tcpstate,tree")],
                         ["tcpstate,connections", "tcpstate,tree"])

    def tree(self, capture, arguments=("-z", "tcpstate,tree")):
        """By upper node: by node ("" itself): count, average, minimum, maximum as printed."""
        found, upper = {}, None
        for line in self.tshark.run(["-q", *arguments], capture).stdout.splitlines():
            got = re.match(r"( ?)(\S.*?) {2,}(\d+) +(?:([\d.]+) +([\d.]+) +([\d.]+) +)?"
                           r"(?:-?[\d.]+ +)?[\d.]+%",
                           line)
            if got:
                name = "" if not got[1] else got[2]
                upper = upper if got[1] else got[2]
                found.setdefault(upper, {})[name] = (int(got[3]), *got.groups()[3:])
        return found

    def check_tree(self, tree, segments):
        connections = connections_of(segments)
        for role, name in enumerate(("client", "server")):
            counts = {state: count for state, (count, *_) in
                      tree.get(f"Connections by state of the {name}", {"": (0,)}).items()}
            self.assertEqual(counts.pop(""), len(connections))
            self.assertEqual(list(sorted(counts)), sorted(STATES))
            self.assertEqual({state: count for state, count in counts.items() if count},
                             Counter(c.segments[-1].ends[role].state for c in connections))
        steps = [step for segment in segments for end in segment.ends for step in end.steps]
        arcs = Counter(f"{left} -> {entered}" for left, _, entered in steps)
        self.assertEqual({arc: count for arc, (count, *_) in tree["Transitions"].items() if arc},
                         arcs)
        self.assertEqual(tree["Transitions"][""][0], len(steps))
        stays = defaultdict(list)
        for left, dwell, _ in steps:
            if dwell is not None:
                stays[left].append(dwell)
                stays[""].append(dwell)
        shown = tree["Time in states that were left (ms)"]
        self.assertEqual({state: count for state, (count, *_) in shown.items()},
                         {state: len(dwells) for state, dwells in stays.items()})
        for state, (_, average, least, most) in shown.items():
            for value, expected in ((average, sum(stays[state]) / len(stays[state])),
                                    (least, min(stays[state])), (most, max(stays[state]))):
                self.assertAlmostEqual(float(value), expected, delta=0.006 + expected * 1e-6)

    def test_tree(self):
        for capture in (self.captures[9], self.many):
            with self.subTest(capture=capture.name):
                self.check_tree(self.tree(capture), self.segments(capture))
        self.assertEqual(self.tree(self.many, ["-2", "-z", "tcpstate,tree"]), self.tree(self.many))

    def test_the_tree_counts_segments_that_a_filter_lets_through(self):
        expression = "frame.number <= 60"
        self.check_tree(self.tree(self.many, ["-z", f"tcpstate,tree,{expression}"]),
                        self.segments(self.many, expression))


if __name__ == "__main__":
    unittest.main()
