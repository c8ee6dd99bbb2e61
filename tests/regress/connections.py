#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,connections, every row and the summary by server; the fields client.final, server.final and left_open, and
the expert item left_open: computed again from what the fields say of each segment."""

import re
import sys
import tempfile
import unittest
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent.parent / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE), str(CAPTURES)]

import leaks  # noqa: E402
import packets  # noqa: E402
from incarnations import (CLIENT, OVER, PASSED_THROUGH, SERVER, STUCK_AFTER_S, TIME_WAIT_S,  # noqa: E402
                          connections_of, segments_of)
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

COMMAND = "tcpstate,connections"
LEFT_OPEN_BUTTON = re.search(r'^"TRUE","Left open","([^"]+)"', (
    HERE.parent.parent / "plugin/profile/dfilter_buttons").read_text(encoding="utf-8"), re.MULTILINE)[1]
WIDTH = 100  # columns, for IPv4
LEFT_OPEN, WAITING, OPEN, DONE = 1, 2, 3, 4
SHORT_CLOSERS = {"simultaneous": "both", "reset by client": "RST client", "reset by server": "RST server",
                 "refused by ICMP": "ICMP"}
# An age is told in the first of these units of which it has so many seconds.
UNITS = (("y", 31557600, 31557600), ("d", 86400, 86400), ("h", 3600, 3600), ("m", 60, Decimal("999.5")),
         ("s", 1, Decimal("0.0995")), ("ms", Decimal("0.001"), 0))
ROW = re.compile(r"(\d) ([A-Z_0-9]+\??) +([A-Z_0-9]+\??) *(>?) *(\S+) "
                 r"(-|client|server|both|RST client|RST server|refused|ICMP) +(\S+) +(\S+) +(\d+|-) +(\d+|-)")


class Row(NamedTuple):
    """A connection, as printed."""
    rank: int
    client_is: str
    server_is: str
    older: bool     # than the capture
    age: str
    closed_by: str
    client: str
    server: str
    stream: int
    since: int      # 0: none
    why: str = ""   # below it


def short_age(seconds):
    """Of a Decimal."""
    name, size, _ = next(unit for unit in UNITS if seconds >= unit[2])
    number = seconds / size
    digits = "0.1" if number < Decimal("9.95") and name != "ms" else "1"
    return f"{number.quantize(Decimal(digits), ROUND_HALF_UP)}{name}"


def expected_row(connection, end, **preferences):
    """(what it sorts by, its Row)."""
    finals = connection.finals(end, **preferences)
    waits = [me.state not in OVER and (me.state != "ESTABLISHED" or peer.state in OVER)
             for me, peer in (finals, finals[::-1])]
    rank = (DONE if connection.ended else LEFT_OPEN if any(final.left_open for final in finals) else
            WAITING if any(waits) else DONE if finals[0].state in OVER else OPEN)
    # The end that waits; of both the one that has waited longer; else the one with the lower port.
    ends = sorted((CLIENT, SERVER), key=lambda role: (not waits[role], -finals[role].age,
                                                      connection.endpoint(role).port))
    shown = finals[ends[0]]
    row = Row(rank, finals[CLIENT].mark, finals[SERVER].mark, shown.at_least, short_age(shown.age),
              SHORT_CLOSERS.get(connection.closed_by, connection.closed_by), str(connection.endpoint(CLIENT)),
              str(connection.endpoint(SERVER)), connection.segments[0].stream, shown.since, connection.why)
    return (rank, -shown.age, connection.number), row


def expected_rows(connections, end, **preferences):
    return [row for _, row in sorted(expected_row(connection, end, **preferences) for connection in connections)]


def expected_summary(connections, end, **preferences):
    """The lines below the rows."""
    servers = {}
    for connection in connections:
        servers.setdefault(str(connection.endpoint(SERVER)), []).append(connection.finals(end, **preferences))
    lines = []
    for server, all_finals in servers.items():
        left = [Counter(finals[role].state for finals in all_finals if finals[role].left_open)
                for role in (CLIENT, SERVER)]
        count = sum(any(final.left_open for final in finals) for finals in all_finals)

        def told(role, text):
            return ", ".join(f"{number:,}{text} {state}" for state, number in sorted(
                left[role].items(), key=lambda item: PASSED_THROUGH.index(item[0])))
        line = (told(SERVER, f" of {len(all_finals):,} left in") + f" at {server}" if left[SERVER]
                else f"none of {len(all_finals):,} left open at {server}")
        lines.append((-count, -len(all_finals), server,
                      line + (f"; clients: {told(CLIENT, ' in')}" if left[CLIENT] else "")))
    return [line for *_, line in sorted(lines)]


class Segment(NamedTuple):
    """Of a capture made here."""
    time_us: int
    client: tuple   # address and port
    server: tuple
    seq: int
    ack: int
    flags: tuple
    from_client: bool = True

    def frame(self):
        (src, sport), (dst, dport) = (self.client, self.server)[::1 if self.from_client else -1]
        return packets.ip(src, dst, packets.TCP, packets.tcp(src, dst, sport, dport, self.seq, self.ack, self.flags))


class Connections(unittest.TestCase):
    """Many bundled captures in one file, some of them by themselves, and captures made here."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.alone = [CAPTURES / f"{name}.pcap" for name in (
            "close-wait-left-open", "midstream", "time-wait-reuse", "figure-09", "odd/busy-server",
            "odd/time-runs-backwards", "odd/time-wait-expires")]
        # Built captures are of an earlier date than recorded ones: ages of months, and of less than a second.
        captures = sorted([*CAPTURES.glob("*.pcap"), *(CAPTURES / "odd").glob("*.pcap")],
                          key=lambda path: path.with_suffix(".states").exists())
        cls.many = together(captures, cls.folder / "many.pcapng")
        cls.segments = segments_of(cls.tshark, cls.many)
        cls.end = cls.segments[-1].time

    @property
    def connections(self):
        return connections_of(self.segments)

    def made(self, name, segments):
        """A capture of Segments."""
        path = self.folder / name
        path.write_bytes(packets.pcap(packets.RAW_IP, [(s.time_us, s.frame(), None) for s in segments]))
        return path

    def table(self, capture, arguments=("-z", COMMAND), **how):
        """The rows, and the lines of the summary."""
        lines = self.tshark.run(["-q", *arguments], capture, **how).stdout.splitlines()
        count = int(re.fullmatch(r"TCP connections at the end of the capture: (\d+)", lines[0])[1])
        if not count:
            self.assertRegex("\n".join(lines[1:]), r"^No TCP connection( passes the filter)?\.$")
            return [], []
        self.assertEqual(lines[2].split(), "# Client is Server is for Closed by Client Server Strm Since".split())
        rows = []
        end = lines.index("")
        for line in lines[3:end]:
            if line.startswith("  why: "):
                rows[-1] = rows[-1]._replace(why=line.removeprefix("  why: "))
                continue
            got = ROW.fullmatch(line)
            self.assertTrue(got, line)
            rank, client_is, server_is, older, age, closer, client, server, stream, since = got.groups()
            rows.append(Row(int(rank), client_is, server_is, older == ">", age, closer, client, server, int(stream),
                            int(since.replace("-", "0"))))
        self.assertEqual(len(rows), count)
        rest = [line for line in lines[end:] if line]
        self.assertEqual(rest[:1], ["By server:"])
        return rows, rest[1:]

    def check(self, capture, segments, options=(), **preferences):
        connections, end = connections_of(segments), segments[-1].time
        rows, summary = self.table(capture, [*options, "-z", COMMAND])
        self.assertEqual(rows, expected_rows(connections, end, **preferences))
        self.assertEqual(summary, expected_summary(connections, end, **preferences))
        return rows

    def test_every_row(self):
        rows = self.check(self.many, self.segments)
        self.assertEqual({row.rank for row in rows}, {LEFT_OPEN, WAITING, OPEN, DONE})
        self.assertEqual(self.table(self.many, ["-2", "-z", COMMAND]), self.table(self.many))
        for capture in self.alone:
            with self.subTest(capture=capture.name):
                self.check(capture, segments_of(self.tshark, capture))

    def test_preferences(self):
        """TIME_WAIT runs out, and what is left open, by the preferences."""
        capture = CAPTURES / "odd/busy-server.pcap"
        shown = set()
        for time_wait, stuck_after in ((TIME_WAIT_S, 0), (79, STUCK_AFTER_S), (60, 77), (0, 1000)):
            with self.subTest(time_wait=time_wait, stuck_after=stuck_after):
                options = ["-o", f"tcpstate.time_wait:{time_wait}", "-o", f"tcpstate.stuck_after:{stuck_after}"]
                rows = self.check(capture, segments_of(self.tshark, capture, options), options,
                                  time_wait=time_wait, stuck_after=stuck_after)
                shown |= {(row.client_is, row.rank, row.since > 0) for row in rows if row.closed_by == "client"}
        self.assertLessEqual({("TIME_WAIT", DONE, True), ("CLOSED?", DONE, False), ("FIN_WAIT_2?", LEFT_OPEN, True),
                              ("FIN_WAIT_2?", WAITING, True)}, shown)

    def test_ages(self):
        """Each unit from where it begins, rounded as a reader would, in four columns."""
        ages_us = sorted((0, 499, 500, 1500, 99_499, 99_500, 949_999, 950_000, 9_949_000, 9_950_000, 59_400_000,
                          999_499_000, 999_500_000, 3_599_900_000, 3_600_000_000, 35_820_000_000, 86_399_000_000,
                          86_400_000_000, 859_000_000_000, 31_557_500_000_000, 31_557_600_000_000, 10**15), reverse=True)
        segments = [Segment(ages_us[0] - age, ("10.9.0.1", 20000 + n), ("10.9.0.2", 80), 1, 0, ("SYN",))
                    for n, age in enumerate(ages_us)]
        rows, _ = self.table(self.made("ages.pcap", segments))
        ages = {int(row.client.split(":")[1]) - 20000: row.age for row in rows}
        self.assertEqual([ages[n] for n in range(len(ages_us))],
                         [short_age(Decimal(age) / 1000000) for age in ages_us])
        self.assertLessEqual(max(map(len, ages.values())), 4)
        self.assertEqual({re.sub(r"[\d.]", "", age) for age in ages.values()}, {name for name, *_ in UNITS})

    def test_ties(self):
        """Equal ranks and waits: in the order of the capture, whatever their addresses and ports."""
        clients = [(f"10.9.{n * 7 % 10}.1", 20000 + n * 13 % 50) for n in range(40)]
        capture = self.made("ties.pcap", [Segment(0, client, ("10.9.0.2", 80), 1, 0, ("SYN",)) for client in clients])
        rows, _ = self.table(capture)
        self.assertEqual([row.client for row in rows], [f"{host}:{port}" for host, port in clients])

    def test_width(self):
        """The longest addresses, ports, states, closers and ages."""
        clients = [(f"192.168.100.{100 + n}", 50000 + n) for n in range(8)]
        server = ("203.100.113.200", 65535)
        segments = []
        for n, client in enumerate(clients):
            start = n * 111_111_000_000
            segments += [Segment(start, client, server, 1, 0, ("SYN",)),
                         Segment(start + 1, client, server, 1000, 2, ("SYN", "ACK"), False),
                         Segment(start + 2, client, server, 2, 1001, ("ACK",))]
            if n % 2:
                segments.append(Segment(start + 3, client, server, 1001, 2, ("RST", "ACK"), n % 4 == 1))
        segments.append(Segment(segments[-1].time_us + 99_990, clients[0], server, 1001, 2, ("ACK",), False))
        capture = self.made("wide.pcap", segments)
        lines = self.tshark.run(["-q", "-z", COMMAND], capture).stdout.splitlines()
        self.assertEqual(len(self.table(capture)[0]), len(clients))
        for line in lines[:4 + len(clients)]:
            self.assertLessEqual(len(line), WIDTH, line)

    def test_a_filter_chooses_connections(self):
        """The rows say how a connection ended, also where the filter hides its last segments."""
        connections = self.connections
        for expression, keep in (
                ("tcp.port == 40100", lambda c: 40100 in (c.endpoint(CLIENT).port, c.endpoint(SERVER).port)),
                ("ipv6.addr == fd00:9::1", lambda c: any("fd00:9::1" == end.address for end in c.segments[0].ends)),
                ("tcpstate.client.entered == ESTABLISHED", lambda c: any(
                    role == CLIENT and step.entered == "ESTABLISHED" for _, role, step in c.steps())),
                ("udp", lambda c: False)):
            with self.subTest(filter=expression):
                kept = [connection for connection in connections if keep(connection)]
                rows, summary = self.table(self.many, ["-z", f"{COMMAND},{expression}"])
                self.assertEqual(rows, expected_rows(kept, self.end))
                self.assertEqual(summary, expected_summary(kept, self.end))
                self.assertEqual(bool(rows), expression != "udp")

    def test_filters_on_the_end_of_the_capture(self):
        """With -2 they are known; on the first pass nothing is."""
        connections = self.connections
        for expression, keep in (
                ("tcpstate.left_open", lambda finals: any(final.left_open for final in finals)),
                ("tcpstate.server.final==CLOSE_WAIT", lambda finals: finals[SERVER].state == "CLOSE_WAIT"),
                ("tcpstate.client.final.str==\"CLOSED\"", lambda finals: finals[CLIENT].state == "CLOSED")):
            with self.subTest(filter=expression):
                kept = [connection for connection in connections if keep(connection.finals(self.end))]
                rows, summary = self.table(self.many, ["-2", "-z", f"{COMMAND},{expression}"])
                self.assertEqual(rows, expected_rows(kept, self.end))
                self.assertEqual(summary, expected_summary(kept, self.end))
                self.assertTrue(rows)
                self.assertEqual(self.table(self.many, ["-z", f"{COMMAND},{expression}"]), ([], []))

    def expected_finals(self):
        """By (frame, tcp.stream): what the fields must say."""
        found = {}
        for connection in self.connections:
            client, server = connection.finals(self.end)
            left = "1" if client.left_open or server.left_open else ""
            for segment in connection.segments:
                found[segment.frame, segment.stream] = (client.state, server.state, left)
        return found

    def test_fields(self):
        """final and left_open on every segment: tshark -2, sharkd. Nothing on the first pass."""
        names = ["tcpstate.client.final.str", "tcpstate.server.final.str", "tcpstate.left_open"]
        expected = self.expected_finals()
        double = {frame for (frame, _), count in Counter(
            (segment.frame, 0) for segment in self.segments).items() if count > 1}  # frames with two segments
        rows = self.tshark.fields(self.many, ["frame.number", "tcp.stream", *names], ["-2", "-Y", "tcpstate"])
        shown = {(int(frame), int(stream)): (client, server, left.replace("True", "1"))
                 for frame, stream, client, server, left in rows if int(frame) not in double}
        self.assertEqual(shown, {key: value for key, value in expected.items() if key[0] not in double})
        self.assertTrue(any(left for *_, left in shown.values()))
        with self.tshark.sharkd(self.many) as sharkd:
            rows = sharkd.rows(["frame.number", "tcp.stream", *names], "tcpstate")
            self.assertEqual({(int(frame), int(stream)): (client, server, left.replace("True", "1"))
                              for frame, stream, client, server, left in rows if int(frame) not in double}, shown)
        first_pass = self.tshark.fields(self.many, names, ["-Y", "tcpstate"])
        self.assertEqual({tuple(row) for row in first_pass}, {("", "", "")})

    def test_expert_item(self):
        """On the segment that entered the state; a warning for a proved CLOSE_WAIT alone."""
        expected = Counter()
        for connection in self.connections:
            left = [final for final in connection.finals(self.end) if final.left_open and final.since]
            proved = {final.since for final in left if (final.state, final.confirmed) == ("CLOSE_WAIT", True)}
            expected.update((frame, "left_open", "warning" if frame in proved else "note")
                            for frame in {final.since for final in left})    # one for both ends
        shown = Counter((segment.frame, *item) for segment in self.segments for item in segment.expert
                        if item[0] == "left_open")
        self.assertEqual(shown, expected)
        self.assertEqual({severity for _, _, severity in shown}, {"warning", "note"})

    def test_the_words_of_the_expert_item(self):
        """State and age, as sharkd has them."""
        with self.tshark.sharkd(CAPTURES / "odd/busy-server.pcap") as sharkd:
            rows = dict(sharkd.rows(["frame.number", "_ws.expert.message"], "tcpstate.expert.left_open"))
        self.assertIn("CLOSE_WAIT never left until the end of the capture, 82.30 s", rows["7"])
        self.assertEqual("FIN_WAIT_2? never left until the end of the capture, 82.20 s", rows["8"])

    def test_a_silent_leak(self):
        """One command or one click tells which service leaks, how many sockets, and since when, be the capture whole or
        begun later."""
        for begin_s in 0, 150:
            with self.subTest(begin_s=begin_s):
                made = leaks.make(begin_s)
                capture = self.folder / f"leak-{begin_s}.pcap"
                capture.write_bytes(made.octets)
                rows, summary = self.table(capture)
                first = len(made.leaks)
                self.assertEqual(summary, [
                    f"{first} of {made.connections[leaks.LEAKING]:,} left in CLOSE_WAIT at {leaks.LEAKING}; "
                    f"clients: {first} in FIN_WAIT_2",
                    *(f"none of {count:,} left open at {service}" for service, count in sorted(
                        made.connections.items(), key=lambda item: -item[1]) if service != leaks.LEAKING)])
                self.assertEqual([(row.rank, row.client, row.server, row.since, row.age) for row in rows[:first]],
                                 [(LEFT_OPEN, leak.client, leaks.LEAKING, leak.frame,
                                   short_age(Decimal(str(round(made.end - leak.time, 6))))) for leak in made.leaks])
                self.assertEqual({row.rank for row in rows[first:]}, {DONE})
                # One click: the button of the profile.
                clicked = self.tshark.fields(capture, ["frame.number", "ip.dst", "tcp.dstport"],
                                             ["-2", "-Y", f"({LEFT_OPEN_BUTTON}) and tcpstate.dst==CLOSE_WAIT"])
                self.assertEqual([(int(frame), f"{host}:{port}") for frame, host, port in clicked],
                                 [(leak.frame, leaks.LEAKING) for leak in made.leaks])
                if begin_s == 0:
                    self.assertEqual((first, made.connections[leaks.LEAKING]), (177, 1860))
                    self.assertEqual({row.server_is for row in rows[:first]}, {"CLOSE_WAIT"})  # proved

    def test_without_tcp(self):
        capture = self.folder / "no-tcp.pcap"
        capture.write_bytes(packets.pcap(packets.ETHERNET, [(0, packets.ethernet(packets.ip(
            packets.CLIENT4, packets.SERVER4, 17, bytes([0, 1, 0, 2, 0, 8, 0, 0]))), None)]))
        self.assertEqual(self.table(capture), ([], []))

    def test_bad_arguments(self):
        for argument in ("connections,no.such.field", "connections,tcp.port ==", "connectionsx"):
            self.tshark.run(["-q", "-z", f"tcpstate,{argument}"], self.alone[0], refuses=True,
                            expect_stderr=r"tshark: .*tcpstate,connections tap: .+\n")
        listed = self.tshark.run(["-z", "help"], expect_stderr=".*")
        self.assertEqual((listed.stdout + listed.stderr).split().count(COMMAND), 1)


if __name__ == "__main__":
    unittest.main()
