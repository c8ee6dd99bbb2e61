#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is shown of whole connections: -z tcpstate,ladder, -z tcpstate,diagram, -z flow,tcpstate,standard;
and that these, connections.py's and statistics.py's agree on what one connection is.

    views.py                  compare
    views.py --bless          write golden/ladder-NAME.txt: to be read beside the RFC's figures
"""

import functools
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE), str(HERE.parent.parent / "test-captures")]

import packets  # noqa: E402
import run  # noqa: E402
from tshark import Tshark  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"
FIGURES = sorted(CAPTURES.glob("figure-*.pcap"))
ALL = sorted([*CAPTURES.glob("*.pcap"), *(CAPTURES / "odd").glob("*.pcap")])
CLOSE = CAPTURES / "client-closes-first.pcap"
REUSE = CAPTURES / "time-wait-reuse.pcap"
FIGURE_12 = CAPTURES / "figure-12.pcap"
FIGURE_13 = CAPTURES / "figure-13.pcap"

GOLDEN = [*FIGURES, *(CAPTURES / f"{name}.pcap" for name in (
    "client-closes-first", "half-close-download", "ipv6", "lost-final-ack", "midstream", "refused",
    "simultaneous-close", "time-wait-reuse", "odd/rst-in-window", "odd/time-runs-backwards"))]

# What one run prints of each view, in any order.
NEXT = r"(?=<svg|\nTCP State: ladder\n|TCP connections at|\n={20}|\Z)"
PRINTED = {
    "tcpstate,ladder": r"\nTCP State: ladder\n.*?" + NEXT,
    "tcpstate,diagram": r"<svg .*</svg>\n",
    "tcpstate,connections": r"TCP connections at the end of the capture: .*?" + NEXT,
    "tcpstate,tree": r"\n=+\nTCP State/States:.*?\n\n-+\n",
}

WIDTH = 80
ROW = re.compile(r"([A-Z_0-9]+\??) +(-->|<--) (<\S+?) +(-->|<--) ([A-Z_0-9]+\??)$")
FOLDED = re.compile(r" *… ([\d,]+) segments, ([\d,]+) bytes from client, ([\d,]+) from server$")


def conversation(ends, script, port=50000):
    """The frames of two ends, of this port and 60000; script: (index of the sender, seq, ack, flags)."""
    for sender, seq, ack, flags in script:
        src, dst = ends[sender], ends[not sender]
        ports = (port, 60000) if sender == 0 else (60000, port)
        yield packets.ethernet(packets.ip(src, dst, packets.TCP, packets.tcp(src, dst, *ports, seq, ack, flags)))


def capture_of(frames, step_us=1000):
    """A capture of frames, so many microseconds apart."""
    return packets.pcap(packets.ETHERNET, [(step_us * n, frame, None) for n, frame in enumerate(frames)])


def long_ipv6():
    """A handshake and a FIN between addresses as long as they get."""
    ends = [f"2001:db8:{n}1{n}1:{n}2{n}2:{n}3{n}3:{n}4{n}4:{n}5{n}5:{n}6{n}6" for n in (8, 9)]
    return capture_of(conversation(ends, [
        (0, 4000000000, 0, ("SYN",)), (1, 4100000000, 4000000001, ("SYN", "ACK")),
        (0, 4000000001, 4100000001, ("ACK",)), (0, 4000000001, 4100000001, ("FIN", "ACK"))]))


def no_tcp():
    """A capture of one ICMP error."""
    quote = packets.ip("10.9.0.1", "10.9.0.2", packets.TCP, bytes(20))
    frame = packets.ethernet(packets.icmp_error("10.9.0.2", "10.9.0.1", quote))
    return capture_of([frame])


def setUpModule():  # pylint: disable=invalid-name
    """One tshark, and what it said, for all tests: each capture is looked at by many."""
    Views.tshark = unittest.enterModuleContext(Tshark())
    Views.folder = Path(unittest.enterModuleContext(tempfile.TemporaryDirectory()))


class Views(unittest.TestCase):
    """What the tests of all views share."""

    @staticmethod
    @functools.cache
    def _view(capture, *arguments):
        return Views.tshark.run(["-q", "-z", *arguments], capture).stdout

    @staticmethod
    def _prints_apart():
        """Whether what several views and -T pdml print can be told apart: newer series lay it out otherwise."""
        return Views.tshark.series == "4.0"

    @staticmethod
    @functools.cache
    def _at_once(capture):
        """All views of a capture and its fields, of one run: (by name of the view, what it printed; the layers).

        The fields take the client as the local end.
        """
        asked = [word for what in PRINTED for word in ("-z", what)] if Views._prints_apart() else []
        printed = Views.tshark.run(["-T", "pdml", "-Y", run.ALL_FRAMES, "-o", "tcpstate.local_endpoint:client", *asked],
                                   capture).stdout
        pdml, end, printed = printed.partition("</pdml>\n")
        views = {what: "".join(re.findall(pattern, printed, re.DOTALL)) for what, pattern in PRINTED.items()}
        left = functools.reduce(lambda text, view: text.replace(view, "", 1), views.values(), printed)
        assert not asked or (all(views.values()) and not left.strip()), f"{capture.name} has not the views:\n{printed}"
        return views, [layer for layer in run.layers_in(pdml + end) if layer.shown]

    def view(self, capture, what, arguments=()):
        """What -z prints."""
        if self._prints_apart() and capture in ALL and what in PRINTED and not arguments:
            return self._at_once(capture)[0][what]
        return self._view(capture, what, *arguments)

    def made(self, name, data):
        """A capture file with these bytes."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def layers(self, capture):
        """All TCP layers that have a state; local is the client."""
        return self._at_once(capture)[1]

    def refuses(self, what, message):
        """-z says so and ends."""
        self.tshark.run(["-q", "-z", what], CLOSE, expect_stderr=f"tshark: {message}.*\n",
                        refuses=True)


def rows(ladder):
    """The segments of a printed ladder, each as (left, arrow, segment, right)."""
    found = []
    for line in ladder.splitlines():
        match = ROW.match(line)
        if match:
            left, arrow, segment, again, right = match.groups()
            assert arrow == again, line
            found.append((left, arrow, segment, right))
        elif re.match(r" {17}<", line):  # what had no room beside the arrows
            left, arrow, segment, right = found[-1]
            found[-1] = left, arrow, segment + line.strip(), right
    return found


# States before the first segment that no capture can know. Figure 7: B is CLOSED, but it may yet answer the
# SYN. Figure 11: A listens, and never sent that SYN.
UNKNOWABLE = {"figure-07": ("CLOSED", "LISTEN"), "figure-11": ("CLOSED", "LISTEN")}


class Ladder(Views):
    """-z tcpstate,ladder: the golden files, the figures, and sums over every capture."""

    def test_golden(self):
        for capture in GOLDEN:
            with self.subTest(capture=capture.name):
                golden = HERE / "golden" / f"ladder-{capture.stem}.txt"
                self.assertEqual(golden.read_text(), self.view(capture, "tcpstate,ladder"))

    def test_figures_are_the_rfcs(self):
        """Every line of a figure is printed, with the states of its ladder and nothing else."""
        self.assertEqual(len(FIGURES), 8)
        for capture in FIGURES:
            with self.subTest(capture=capture.name):
                wanted = (CAPTURES / "figures" / f"{capture.stem}.ladder").read_text()
                wanted = [line for line in wanted.splitlines() if line and line[0] not in "#+"]
                printed = self.view(capture, "tcpstate,ladder")
                self.assertEqual(rows(printed), rows("\n".join(wanted[1:])))
                self.assertGreaterEqual(len(rows(printed)), 3)
                self.assertEqual(printed.count("Connection "), 1)
                before = UNKNOWABLE.get(capture.stem, tuple(wanted[0].split()))
                self.assertIn(f"{before[0]:68}{before[1]}", printed.splitlines())

    def test_sums(self):
        """Segments shown and folded are all segments, and so are their bytes."""
        for capture in ALL:
            with self.subTest(capture=capture.name):
                layers = self.layers(capture)
                printed = self.view(capture, "tcpstate,ladder")
                shown = rows(printed)
                folded = [[int(number.replace(",", "")) for number in match.groups()]
                          for line in printed.splitlines() if (match := FOLDED.match(line))]
                self.assertTrue(all(fold[0] > 3 for fold in folded))
                self.assertEqual(len(shown) + sum(fold[0] for fold in folded), len(layers))
                octets = sum(int((re.search(r"<DATA=(\d+)>", row[2]) or [0, 0])[1]) for row in shown)
                self.assertEqual(octets + sum(fold[1] + fold[2] for fold in folded),
                                 sum(int(layer.tcp.get("tcp.len", 0)) for layer in layers))

    def test_transitions_are_shown(self):
        """Each with its event, in order; and each state shown is the one in the fields."""
        for capture in ALL:
            layers = self.layers(capture)
            events = sum(len(steps) for layer in layers for steps in layer.steps.values())
            printed = self.view(capture, "tcpstate,ladder")
            lines = re.findall(r"evidence: (?:\S+ )*\S+|2MSL timeout|"
                               r"(?:snd|rcv) [A-Z,]+(?: of [A-Z]+| and ACK of FIN)?", printed)
            with self.subTest(capture=capture.name):
                self.assertEqual(len(lines), events)

    def test_width(self):
        for capture in ALL + [self.made("long.pcap", long_ipv6())]:
            for line in self.view(capture, "tcpstate,ladder").splitlines():
                self.assertLessEqual(len(line), WIDTH, f"{capture.name}: {line}")
                self.assertEqual(line, line.rstrip(), capture.name)

    def test_long_ipv6(self):
        lines = self.view(self.made("v6.pcap", long_ipv6()), "tcpstate,ladder").splitlines()
        self.assertIn("[2001:db8:8181:8282:8383:8484:8585:8686]:50000", lines)
        self.assertIn("[2001:db8:9191:9292:9393:9494:9595:9696]:60000".rjust(WIDTH), lines)
        self.assertIn("FIN_WAIT_1   --> <SEQ=4000000001><ACK=4100000001><CTL=FIN,ACK>  --> "
                      "CLOSE_WAIT?", lines)

    def test_incarnations(self):
        """Each of its own, with the times since its own SYN."""
        printed = self.view(REUSE, "tcpstate,ladder")
        self.assertEqual(re.findall(r"^Connection (\d+): (.*)$", printed, re.M), [
            ("1", "frames 1 to 11, closed by the server"),
            ("2", "frames 12 to 22, closed by the server")])
        self.assertEqual(printed.count(", 0.000000 s"), 2)
        self.assertIn(f"{'CLOSED':68}TIME_WAIT", printed.splitlines())

    def test_filter(self):
        printed = self.view(REUSE, "tcpstate,ladder,tcp.flags.fin==1 && frame.number > 12")
        self.assertEqual([row[2][-13:] for row in rows(printed)], ["<CTL=FIN,ACK>"] * 2)
        self.assertIn("Connection 1: frames 19 to 21", printed)
        self.assertIn("filter: tcp.flags.fin==1 && frame.number > 12\n", printed)
        self.assertIn("frame 19, 0.403081 s", printed)  # since the SYN, though that is not shown

    def test_nothing_to_show(self):
        empty = self.made("none.pcap", no_tcp())
        self.assertEqual(self.view(empty, "tcpstate,ladder").splitlines()[1:],
                         ["TCP State: ladder", "No TCP connection."])
        self.assertIn("No TCP connection passes the filter.\n",
                      self.view(CLOSE, "tcpstate,ladder,udp"))

    def test_bad_arguments(self):
        for what in ("ladder", "diagram"):
            self.refuses(f"tcpstate,{what},tcp.port==",
                         f'Couldn\'t register tcpstate,{what} tap: Filter "tcp.port==" is invalid')
            self.refuses(f"tcpstate,{what}s", rf'invalid "-z tcpstate,{what}\[,filter\]" argument')

    def test_two_at_once_and_two_passes(self):
        plain = self.view(CLOSE, "tcpstate,ladder")
        self.assertEqual(self.view(CLOSE, "tcpstate,ladder", ["-2"]), plain)
        both = self.view(CLOSE, "tcpstate,ladder", ["-z", "tcpstate,ladder,tcp.flags.syn==1"])
        self.assertIn(plain, both)
        self.assertEqual(both.count("TCP State: ladder"), 2)


# Columns that a flow graph has for two nodes, behind the time.
NODES = 40


class Flow(Views):
    """-z flow,tcpstate,standard."""

    def test_comments(self):
        """A transition's row has both states, client first; other rows have none."""
        for capture in (*FIGURES, CLOSE, REUSE):
            printed = self.view(capture, "flow,tcpstate,standard").splitlines()
            comments = [line.split("|", 2)[2][NODES:] for line in printed
                        if re.match(r"\|\d", line)]
            wanted = [f"{layer.end('tcpstate.local')} | {layer.end('tcpstate.remote')}"
                      if any(layer.steps.values()) else "" for layer in self.layers(capture)]
            with self.subTest(capture=capture.name):
                self.assertEqual(comments, wanted)

    def test_labels(self):
        """Flags, and a number only if all of it fits."""
        printed = self.view(CLOSE, "flow,tcpstate,standard")
        labels = [line[20:40].strip(" |") for line in printed.splitlines()
                  if re.match(r"\|\d", line)]
        self.assertEqual(labels[0], "SYN Seq=788606")
        self.assertEqual(labels[1], "SYN,ACK")
        self.assertEqual(labels[3], "PSH,ACK Len=15")
        self.assertEqual(labels[7], "FIN,ACK Seq=788622")


# RFC 9293 figure 5, and the transition that its note 2 adds.
ARCS = {tuple(arc.split(">")) for arc in """
    CLOSED>SYN_SENT SYN_SENT>CLOSED CLOSED>LISTEN LISTEN>CLOSED SYN_RCVD>LISTEN LISTEN>SYN_RCVD
    LISTEN>SYN_SENT SYN_SENT>SYN_RCVD SYN_RCVD>ESTABLISHED SYN_SENT>ESTABLISHED
    SYN_RCVD>FIN_WAIT_1 ESTABLISHED>FIN_WAIT_1 ESTABLISHED>CLOSE_WAIT FIN_WAIT_1>FIN_WAIT_2
    FIN_WAIT_1>CLOSING FIN_WAIT_1>TIME_WAIT CLOSE_WAIT>LAST_ACK FIN_WAIT_2>TIME_WAIT
    CLOSING>TIME_WAIT LAST_ACK>CLOSED TIME_WAIT>CLOSED""".split()}
FORWARD = ("evidence: ACK of the peer's FIN", "evidence: FIN acknowledged by the peer",
           "evidence: number past a FIN")


class Way:
    """The way of one end, from the fields: which transitions held, and which a proof undid."""

    def __init__(self):
        self.steps = []

    def add(self, frame, event, left, entered):
        """One transition."""
        step = {"frame": frame, "event": event, "left": left, "entered": entered,
                "undone": False, "proved": False, "arc": None}
        corrects = event.startswith("evidence") and event not in FORWARD
        if not corrects:
            step["arc"] = self.arc(left, entered, event)
        if corrects or (not step["arc"] and event in ("snd SYN", "snd SYN,ACK")):
            self.correct(step, corrects)
        self.steps.append(step)

    @staticmethod
    def arc(left, entered, event):
        """The arc of figure 5, if this is one; resets other than to LISTEN are none."""
        if "RST" in event and (event, entered) != ("rcv RST", "LISTEN"):
            return None
        return (left, entered) if (left, entered) in ARCS else None

    def correct(self, step, evidence):
        """Undo the latest steps back to where the proven state was, or could be entered."""
        undone = []
        for earlier in reversed([each for each in self.steps if not each["undone"]]):
            if earlier["proved"] and not evidence:
                return
            undone.append(earlier)
            arc = self.arc(earlier["left"], step["entered"], step["event"])
            if earlier["left"] == step["entered"] or arc:
                step["arc"] = arc if earlier["left"] != step["entered"] else None
                for each in undone:
                    each["undone"] = True
                return

    def kinds(self):
        """Each step as the picture has it."""
        return [(str(step["frame"]), step["event"], step["left"], step["entered"],
                 "undone" if step["undone"] else "taken" if step["arc"] else "jump")
                for step in self.steps]

    def arcs(self):
        """Arcs by their looks; one that was taken twice, once in error, was taken."""
        drawn = {}
        for step in self.steps:
            if step["arc"] and drawn.get(step["arc"]) != "taken":
                drawn[step["arc"]] = "undone" if step["undone"] else "taken"
        return drawn


NAME = {str(number): name for number, name in enumerate((
    "CLOSED", "LISTEN", "SYN_SENT", "SYN_RCVD", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
    "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"))}
ENDS = {"client": "tcpstate.local", "server": "tcpstate.remote"}  # local_endpoint is the client


class Diagram(Views):
    """-z tcpstate,diagram."""

    def picture(self, capture, filter_="", arguments=()):
        """The root of the SVG; fails if it is not well formed, or refers to anything outside."""
        text = self.view(capture, f"tcpstate,diagram{filter_ and ','}{filter_}", arguments)
        self.assertTrue(text.startswith("<svg xmlns="), "nothing before it")
        self.assertEqual(re.findall(r"(?:https?:|href|src=|@import|<script|<image)[^\"]*", text),
                         ["http://www.w3.org/2000/svg"])
        for target in re.findall(r"url\(([^)]*)\)", text):
            self.assertIn(f'id="{target[1:]}"', text)
        return ElementTree.fromstring(text)

    @staticmethod
    def drawn(picture, role):
        """What the picture says of an end: its steps, and the looks of the arcs."""
        steps, arcs = [], {}
        for item in picture.iter("{http://www.w3.org/2000/svg}g"):
            if item.get("data-end") == role:
                steps.append(tuple(item.get(f"data-{word}")
                                   for word in ("frame", "event", "left", "entered", "kind")))
        for item in picture.iter("{http://www.w3.org/2000/svg}path"):
            if item.get("data-from") and item.get("class").split()[0] == role:
                arcs[item.get("data-from"), item.get("data-to")] = item.get("class").split()[1]
        return steps, arcs

    def ways(self, capture):
        """Each end's way, by role, from the fields."""
        ways = {role: Way() for role in ENDS}
        for layer in self.layers(capture):
            for role, end in ENDS.items():
                for step in layer.steps.get(end, []):
                    ways[role].add(layer.frame, run.event_name(step), NAME[step["left"]], NAME[step["entered"]])
                if layer.shown[f"{end}.confirmed"] and ways[role].steps:
                    ways[role].steps[-1]["proved"] = True
        return ways

    def test_arcs_are_those_of_the_fields(self):
        compared = 0
        for capture in ALL:
            if self.view(capture, "tcpstate,ladder").count("\nConnection ") != 1:
                continue
            compared += 1
            picture, ways = self.picture(capture), self.ways(capture)
            for role in ENDS:
                with self.subTest(capture=capture.name, role=role):
                    steps, arcs = self.drawn(picture, role)
                    self.assertEqual(steps, ways[role].kinds())
                    self.assertEqual(arcs, ways[role].arcs())
        self.assertGreater(compared, 40)

    def test_simultaneous_close(self):
        """The server's CLOSE_WAIT was assumed in error; both took the same arcs in the end."""
        for role, undone in (("client", []), ("server", [("ESTABLISHED", "CLOSE_WAIT")])):
            _, arcs = self.drawn(self.picture(FIGURE_13), role)
            self.assertEqual([arc for arc, look in arcs.items() if look == "undone"], undone)
            self.assertEqual([arc for arc, look in arcs.items() if look == "taken"][-3:], [
                ("ESTABLISHED", "FIN_WAIT_1"), ("FIN_WAIT_1", "CLOSING"), ("CLOSING", "TIME_WAIT")])

    def test_present_states(self):
        """Marked once for each end, with its assumption."""
        for capture, wanted in ((FIGURE_12, {"TIME_WAIT": "● client", "CLOSED": "■ server?"}),
                                (FIGURE_13, {"TIME_WAIT": "● client?  ■ server?"})):
            items = list(self.picture(capture).iter())
            marked = {box.get("data-state"): who.text
                      for box, _name, who in zip(items, items[1:], items[2:])
                      if box.get("class") == "box now"}
            self.assertEqual(marked, wanted)

    def test_the_filter_chooses_the_connection(self):
        """Whichever of its segments passes; all of its transitions are drawn, and no others."""
        def steps(filter_=""):
            picture = self.picture(REUSE, filter_)
            return [self.drawn(picture, role)[0] for role in ENDS], ElementTree.tostring(
                picture, "unicode")
        first, text = steps()
        self.assertIn("the first of 2 connections", text)
        self.assertEqual({int(step[0]) > 11 for step in first[0] + first[1]}, {False})
        for filter_ in ("frame.number==5", "frame.number==11", "frame.number==1"):
            self.assertEqual(steps(filter_)[0], first)
        second, text = steps("frame.number==17")
        self.assertIn("the only connection, filter: frame.number==17", text)
        self.assertEqual({int(step[0]) > 11 for step in second[0] + second[1]}, {True})
        self.assertEqual([len(end) for end in second], [len(end) for end in first])

    def test_two_passes(self):
        for capture in (REUSE, FIGURE_13):
            self.assertEqual(self.view(capture, "tcpstate,diagram", ["-2"]),
                             self.view(capture, "tcpstate,diagram"))

    def test_filter_that_is_no_xml(self):
        picture = self.picture(CLOSE, 'tcp.port<60000 && !(ip.host=="<&>")')
        self.assertIn('filter: tcp.port<60000 && !(ip.host=="<&>")',
                      "".join(picture.itertext()))

    def test_nothing_to_show(self):
        empty = self.made("none.pcap", no_tcp())
        self.assertIn("No TCP connection.", "".join(self.picture(empty).itertext()))
        self.assertIn("No TCP connection passes the filter.",
                      "".join(self.picture(CLOSE, "udp").itertext()))

    def test_both_themes(self):
        """Every class that has a colour in light has one in dark, so that nothing vanishes."""
        style = self.picture(CLOSE).find("{http://www.w3.org/2000/svg}style").text
        light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
        coloured = set(re.findall(r"^(\S.*?)\{[^}]*#[0-9a-f]{6}", light, re.M))
        names = {name for names in coloured for name in names.split(",")}
        dark_names = {name for names in re.findall(r"^(\S.*?)\{[^}]*#", dark, re.M)
                      for name in names.split(",")}
        self.assertGreater(len(names), 15)
        self.assertEqual(names, dark_names)


HANDSHAKE = [(0, 100, 0, ("SYN",)), (1, 300, 101, ("SYN", "ACK")), (0, 101, 301, ("ACK",))]
# RFC 9293 figure 9 behind the handshake: either end reboots and calls, and its peer finds out.
CLIENT_REBOOTS = [(0, 400, 0, ("SYN",)), (1, 301, 101, ("ACK",)), (0, 101, 0, ("RST",))]
SERVER_REBOOTS = [(1, 900, 0, ("SYN",)), (0, 101, 301, ("ACK",)), (1, 301, 0, ("RST",))]
BOTH_CLOSE = [(0, 101, 301, ("FIN", "ACK")), (1, 301, 102, ("FIN", "ACK")), (0, 102, 302, ("ACK",))]

# Which frames, first and last, are one connection, independently of Wireshark's streams, in which series differ.
GROUPED = {
    "repeats-its-syn": (HANDSHAKE + CLIENT_REBOOTS + [(0, 400, 0, ("SYN",))], [(1, 7)]),
    "sends-another-syn": (HANDSHAKE + CLIENT_REBOOTS + [(0, 800, 0, ("SYN",))], [(1, 6), (7, 7)]),
    "server-repeats-its-syn": (HANDSHAKE + SERVER_REBOOTS + [(1, 900, 0, ("SYN",))], [(1, 7)]),
    "server-gets-through": (
        HANDSHAKE + SERVER_REBOOTS + [(1, 900, 0, ("SYN",)), (0, 700, 901, ("SYN", "ACK"))],
        [(1, 8)]),
    "both-open": ([(0, 100, 0, ("SYN",)), (1, 300, 0, ("SYN",)), (0, 100, 301, ("SYN", "ACK")),
                   (1, 300, 101, ("SYN", "ACK"))], [(1, 4)]),
    "same-number-after-close": (HANDSHAKE + BOTH_CLOSE + HANDSHAKE, [(1, 6), (7, 9)]),
    "another-number-after-close": (
        HANDSHAKE + BOTH_CLOSE + [(0, 5000, 0, ("SYN",)), (1, 9000, 5001, ("SYN", "ACK"))],
        [(1, 6), (7, 8)]),
    "refused-and-repeated": ([(0, 100, 0, ("SYN",)), (1, 0, 101, ("RST", "ACK"))] * 2, [(1, 4)]),
}


class Connections(Views):
    """What one connection is: the same for the table, the tree, the ladder and the diagram."""

    def test_each_view_alone(self):
        """Prints what it prints among the others; the rest of these tests has them printed at once."""
        for capture in (CLOSE, REUSE, FIGURE_13):
            for what in PRINTED:
                with self.subTest(capture=capture.name, what=what):
                    self.assertEqual(self._view(capture, what), self.view(capture, what))

    def shown(self, capture, filter_=""):
        """The frames of each connection in the ladder; fails if the others see more or fewer."""
        behind = filter_ and "," + filter_
        frames = re.findall(r"^Connection \d+: frames? (\d+(?: to \d+)?)",
                            self.view(capture, f"tcpstate,ladder{behind}"), re.M)
        others = "".join(self.view(capture, f"tcpstate,{what}{behind}") for what in ("connections", "tree"))
        tree = {int(count) for count in
                re.findall(r"^ *Connections by state of the \w+ +(\d+)", others, re.M)}
        self.assertEqual(tree, {len(frames)} - {0}, "tree")
        self.assertIn(f"TCP connections at the end of the capture: {len(frames)}\n", others)
        picture = self.view(capture, f"tcpstate,diagram{behind}")
        self.assertIn({0: "No TCP connection", 1: "the only connection"}.get(
            len(frames), f"the first of {len(frames)} connections"), picture)
        return frames

    def test_of_all_captures(self):
        for capture in ALL:
            with self.subTest(capture=capture.name):
                self.assertTrue(self.shown(capture))

    def test_independent_of_streams(self):
        """In one capture, each of its own ports; a filter hides where each connection begins."""
        frames, every, left = [], [], []
        for port, (script, connections) in enumerate(GROUPED.values(), 50000):
            for first, last in connections:
                numbers = range(len(frames) + first, len(frames) + last + 1)
                every.append(numbers)
                left.append([n for n in numbers if script[n - len(frames) - 1][3] != ("SYN",)])
            frames += conversation(("10.9.0.1", "10.9.0.2"), script, port)
        capture = self.made("grouped.pcap", capture_of(frames, 400000))
        self.assertEqual(self.shown(capture), [self.span(numbers) for numbers in every])
        self.assertEqual(self.shown(capture, "!(tcp.flags.syn==1) || tcp.flags.ack==1"),
                         [self.span(numbers) for numbers in left if numbers])

    @staticmethod
    def span(numbers):
        """As the ladder writes it."""
        return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"

    def test_what_a_filter_hides_at_the_end(self):
        """The row and the diagram tell how it ended, also where that is in another stream."""
        script, _ = GROUPED["repeats-its-syn"]
        capture = self.made("hides.pcap", capture_of(conversation(("10.9.0.1", "10.9.0.2"), script)))
        row, picture = self.view(capture, "tcpstate,connections"), self.view(capture, "tcpstate,diagram")
        for last in (3, 6):
            behind = f",frame.number<={last}"
            self.assertEqual(self.view(capture, f"tcpstate,connections{behind}"), row)
            steps = re.findall(r'data-frame="\d+"', self.view(capture, f"tcpstate,diagram{behind}"))
            self.assertEqual(steps, re.findall(r'data-frame="\d+"', picture))
            self.assertIn('data-frame="7"', steps)

    def test_who_calls_back_is_the_client(self):
        """Figure 9 with the ends changed: one row, of the latest roles, and its states at the end."""
        script, _ = GROUPED["server-repeats-its-syn"]
        capture = self.made("calls-back.pcap", capture_of(conversation(("10.9.0.1", "10.9.0.2"), script)))
        row = self.view(capture, "tcpstate,connections").splitlines()[3].split()
        self.assertEqual((row[1], row[2], row[5], row[6]),
                         ("SYN_SENT", "SYN_RCVD?", "10.9.0.2:60000", "10.9.0.1:50000"))
        self.assertEqual(self.tshark.fields(capture, ["tcpstate.local.str", "tcpstate.local.by"],
                                            ["-o", "tcpstate.local_endpoint:client"])[-1][0],
                         "SYN_SENT")


def bless():
    """Write the golden files."""
    with Tshark() as tshark:
        for capture in GOLDEN:
            printed = tshark.run(["-q", "-z", "tcpstate,ladder"], capture).stdout
            (HERE / "golden" / f"ladder-{capture.stem}.txt").write_text(printed)


if __name__ == "__main__":
    if sys.argv[1:] == ["--bless"]:
        bless()
    else:
        unittest.main()
