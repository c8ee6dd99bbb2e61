#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin shows on every TCP segment of captures, held against golden and truth.

    run.py CAPTURE...            compare
    run.py CAPTURE... --bless    write golden/NAME.txt, unless a check against the truth fails

sharkd must show the same when it is asked about frames in a random order (TCPSTATE_SEED repeats an order).
The same table must come out of one pass, two passes, a display filter, custom columns without a filter, and
with the sender as the local end: of all the captures together, in one file.
Where a ladder made the capture (test-captures/build.py), its states and its marks of what is
confirmed are the truth, and the golden file is there to be read.
"""

import argparse
import difflib
import os
import random
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "test-captures")]

import build  # noqa: E402
from figure5 import leads_along  # noqa: E402
from together import together  # noqa: E402
from tables import EVENTS, STATES  # noqa: E402
from tshark import Tshark  # noqa: E402

FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
ENDS = ("tcpstate.local", "tcpstate.remote")
SENDER_IS_LOCAL = ["-o", "tcpstate.local_endpoint:sender"]
# What each end has, by position, role and direction.
WORDS = ("str", "previous", "entered", "left", "event", "event.str", "dwell", "since", "duration", "confirmed", "call",
         "call.str", "mark")
OTHER_ENDS = tuple(f"tcpstate.{end}" for end in ("client", "server", "src", "dst"))
# A filter for all segments that have a state, which refers to the fields that are made only where something does.
ALL_STATES = "tcpstate or " + " or ".join(
    f"{end}.{word}" for end in ENDS + OTHER_ENDS for word in WORDS) + "".join(f" or {end}" for end in OTHER_ENDS)
ALL_FRAMES = f"frame or {ALL_STATES}"


@dataclass
class Layer:
    """A TCP layer of a frame, and what the plugin says of it."""
    frame: int
    source: str
    destination: str
    tcp: dict                                   # Wireshark's fields, by name
    shown: dict = field(default_factory=dict)   # the plugin's fields, by name; none: no state
    steps: dict = field(default_factory=dict)   # by end: its transitions, dicts by last word
    labels: list = field(default_factory=list)  # (name, text) of the plugin's visible items
    values: dict = field(default_factory=dict)  # by name: all values of a field of an end, in order

    def segment(self):
        """The segment in the notation of the figures; only for layers that have a state."""
        bits = int(self.tcp["tcp.flags"], 0)
        flags = [name for n, name in enumerate(FLAGS) if bits >> n & 1]
        tags = f"<SEQ={self.tcp['tcp.seq_raw']}>"
        tags += f"<ACK={self.tcp['tcp.ack_raw']}>" if "ACK" in flags else ""
        length = int(self.tcp.get("tcp.len", 0))
        return tags + f"<CTL={','.join(flags)}>" + (f"<DATA={length}>" if length else "")

    def end(self, name):
        """An end's state, with "?" if it is assumed."""
        return self.shown[name + ".str"] + ("" if self.shown[name + ".confirmed"] else "?")

    def way(self, name):
        """The states of an end before and after, those between, and why: "A → B? (snd FIN)"."""
        steps = self.steps.get(name, [])
        if not steps:
            return self.end(name)
        states = [state_name(step["left"]) for step in steps] + [self.end(name)]
        return f"{' → '.join(states)} ({', '.join(event_name(step) for step in steps)})"


def _value(item):
    """A PDML item's value. Booleans are 1 and 0 in some series, True and False in others."""
    return {"True": "1", "False": "0"}.get(item.get("show"), item.get("show"))


# What there is once for each transition of an end, the event first.
STEP_FIELDS = ("event", "left", "dwell", "entered")
BOOLEANS = ("tcpstate.transition", "tcpstate.midstream",
            *(f"{end}.confirmed" for end in ENDS))


def _tcp_layer(frame, addresses, item):
    tcp = {}
    for each in item.iter("field"):
        tcp.setdefault(each.get("name"), each.get("show"))
    ports = tcp.get("tcp.srcport"), tcp.get("tcp.dstport")
    ends = [f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            for address, port in zip(addresses, ports)]
    return Layer(frame, *ends, tcp)


def _take(layer, item):
    """Add what the plugin's subtree says to the layer that it is about."""
    layer.labels.append((item.get("name"), item.get("showname")))
    for each in item.iter("field"):
        name = each.get("name")
        if not name.startswith("tcpstate."):
            continue
        value = _value(each)
        layer.values.setdefault(name, []).append(value)
        end, _, word = name.rpartition(".")
        if name.endswith((".call", ".call.str", ".event.str")) or (word in STEP_FIELDS and end in OTHER_ENDS):
            pass    # there may be several: they are compared among ends
        elif word in STEP_FIELDS:
            steps = layer.steps.setdefault(end, [])
            if word == "event":
                steps.append({})
            steps[-1][word] = value
        elif name in layer.shown:
            raise AssertionError(f"frame {layer.frame}: {name} twice on one segment")
        else:
            layer.shown[name] = value == "1" if name in BOOLEANS else value
        if each.get("hide") != "yes":
            layer.labels.append((name, each.get("showname")))


def _walk(frame, parent, addresses, layers):
    """Collect the TCP layers below parent, in order. The plugin's subtree follows its TCP's."""
    pending = []
    for item in parent:
        name = item.get("name", "")
        if name in ("ip", "ipv6"):
            addresses = [next(each.get("show") for each in item.iter("field")
                              if each.get("name") == f"{name}.{end}") for end in ("src", "dst")]
        if name == "tcp" and item.tag == "proto":
            layers.append(_tcp_layer(frame, addresses, item))
            pending.append(layers[-1])
        elif name == "tcpstate":
            if not pending:
                raise AssertionError(f"frame {frame}: a state without a TCP segment before it")
            _take(pending.pop(), item)
        else:
            _walk(frame, item, addresses, layers)


def layers_of(tshark, capture, arguments=(), shown=ALL_FRAMES):
    """All TCP layers of a capture, in order, as tshark with arguments shows them. shown: a filter for the frames."""
    return layers_in(tshark.run(["-T", "pdml", "-Y", shown, *arguments], capture).stdout)


def layers_in(pdml):
    """All TCP layers that a PDML document shows, in order."""
    layers = []
    for packet in ElementTree.fromstring(pdml).iter("packet"):
        number = next(int(item.get("show")) for item in packet.iter("field")
                      if item.get("name") == "num")
        _walk(number, packet, None, layers)
    return layers


def times_in(pdml):
    """The time stamp of each frame of a PDML document, by its number."""
    return {int(number): Decimal(time) for number, time in (
        [next(item.get(value) for item in packet.iter("field") if item.get("name") == name)
         for name, value in (("num", "show"), ("timestamp", "value"))]
        for packet in ElementTree.fromstring(pdml).iter("packet"))}


def table(layers):
    """The readable table of a capture's TCP layers."""
    rows = [("frame", "segment", "local", "remote", "local by", "")]
    for layer in layers:
        about = f"{layer.source} > {layer.destination}"
        if not layer.shown:
            rows.append((str(layer.frame), about, "no state", "", "", ""))
            continue
        about += f"  {layer.segment()}"
        ends = [layer.way(end) for end in ENDS]
        by = next(text.rpartition(": ")[2].partition(" (")[0] for name, text in layer.labels
                  if name == "tcpstate.local.by")
        rows.append((str(layer.frame), about, *ends, by,
                     "mid-stream" if layer.shown.get("tcpstate.midstream") else ""))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() + "\n"
                   for row in rows)


def is_from_local(layer):
    """Whether the local end sent it: the headline names that end first."""
    return bool(re.match(rf"\[?TCP State: {re.escape(layer.source)} ", layer.labels[0][1]))


def sender_first(layer):
    """A layer as it is shown with the sender as the local end. tcpstate.local.by apart."""
    ends = {end: f"tcpstate.{end}" for end in ("local", "remote")}
    if layer.shown and not is_from_local(layer):
        ends = dict(zip(ends, reversed(ends.values())))

    def renamed(values):
        return {re.sub(r"^tcpstate\.(local|remote)\b(?!\.by)", lambda match: ends[match[1]], name): value
                for name, value in values.items()}
    return replace(layer, shown=renamed(layer.shown), steps=renamed(layer.steps))


def state_name(number):
    """The name of a state's number, in decimal."""
    return STATES[int(number)]


def event_name(step):
    """The name of a step's event, for example "snd FIN"."""
    return EVENTS[int(step["event"])]


class Regress:
    """The checks of one capture. Class attributes are set by checks_of()."""
    tshark = None   # one for all captures, and one sharkd
    sharkd = None
    capture = None
    made = None     # the build.Capture, if hand-made
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        # Two passes: how connections stand at the end is shown once the capture has been read, as sharkd does.
        pdml = cls.tshark.run(["-2", "-T", "pdml", "-Y", ALL_FRAMES], cls.capture).stdout
        cls.layers, cls.times = layers_in(pdml), times_in(pdml)
        cls.by_sender = [sender_first(layer) for layer in cls.layers]

    def test_1_fields_agree_with_each_other(self):
        for layer in self.layers:
            with self.subTest(frame=layer.frame):
                if layer.shown:
                    self.check_fields(layer.shown, layer.steps)

    def check_fields(self, shown, steps):
        for end in ENDS:
            self.assertEqual(state_name(shown[end]), shown[f"{end}.str"])
            self.assertEqual(shown[f"{end}.mark"],
                             shown[f"{end}.str"] + ("" if shown[f"{end}.confirmed"] else "?"))
            state = shown[f"{end}.previous"]
            for step in steps.get(end, []):
                self.assertEqual(step["left"], state)
                self.assertNotEqual(step["entered"], state)
                event = event_name(step)
                self.assertTrue(event.startswith("evidence: ") or leads_along(
                    event, state_name(state), state_name(step["entered"])), event)
                state = step["entered"]
            self.assertEqual(state, shown[end])
            self.assertEqual(f"{end}.since" in shown, f"{end}.duration" in shown)
            self.assertIn(shown[f"{end}.confirmed"], (True, False))
        self.assertEqual(shown.get("tcpstate.transition", False), bool(steps))
        self.assertIn("tcpstate.local.by", shown)

    def test_1_ends_by_role_and_direction(self):
        """The same fields, with the same values."""
        for layer in (layer for layer in self.layers if layer.shown):
            local_opened = ", the client," in next(text for name, text in layer.labels if name == "tcpstate.local")
            for ends, in_order in (OTHER_ENDS[:2], local_opened), (OTHER_ENDS[2:], is_from_local(layer)):
                for end, same in zip(ends, ENDS if in_order else reversed(ENDS)):
                    one, other = ({word: layer.values.get(f"{name}.{word}".rstrip(".")) for word in ("", *WORDS)}
                                  for name in (end, same))
                    self.assertEqual(one, other, f"frame {layer.frame}, {end}")

    def test_1_user_calls(self):
        """Of the sender alone, and each by the flags that show it (RFC 9293 section 3.9.1)."""
        for layer in (layer for layer in self.layers if layer.shown):
            calls = layer.values.get("tcpstate.src.call.str", [])
            self.assertNotIn("tcpstate.dst.call", layer.values)
            flags = int(layer.tcp["tcp.flags"], 0)
            bits = {name: flags >> n & 1 for n, name in enumerate(FLAGS)}
            data = int(layer.tcp.get("tcp.len", 0)) > 0
            self.assertEqual("SEND" in calls, bool(data and not bits["RST"]), f"frame {layer.frame}")
            for call, shown in (("OPEN active", bits["SYN"] and not bits["ACK"]), ("CLOSE", bits["FIN"]),
                                ("OPEN passive", bits["SYN"] and bits["ACK"]), ("ABORT", bits["RST"])):
                self.assertLessEqual(call in calls, bool(shown), f"frame {layer.frame} {call}")
            for event, call in (("snd SYN", "OPEN active"), ("snd FIN", "CLOSE")):
                self.assertEqual(call in calls, event in layer.values.get("tcpstate.src.event.str", []),
                                 f"frame {layer.frame} {call}")

    def test_1_since_duration_and_dwell(self):
        """Computed again here, from the transitions and the frames' time stamps alone."""
        times = self.times
        periods = {}    # by end and peer: (state, frame in which it began), latest last
        for layer in self.by_sender:
            if not layer.shown or layer.source == layer.destination:
                continue
            now = times[layer.frame]
            for name, end in zip(ENDS, ((layer.source, layer.destination),
                                        (layer.destination, layer.source))):
                held = periods.setdefault(end, [(layer.shown[f"{name}.previous"], None)])
                for step in layer.steps.get(name, []):
                    self.check_dwell(layer.frame, step, held, times)
                state, since = held[-1]
                self.assertEqual((layer.shown[name], layer.shown.get(f"{name}.since")),
                                 (state, since and str(since)), f"frame {layer.frame} {end}")
                if since:
                    self.assertEqual(Decimal(layer.shown[f"{name}.duration"]),
                                     max(now - times[since], 0), f"frame {layer.frame} {end}")

    def check_dwell(self, frame, step, held, times):
        """Hold one transition against the periods of its end, and add to these."""
        state, since = held[-1]
        if "evidence" in event_name(step):  # that period was an error: back to the state before it
            earlier = [n for n, (was, _) in enumerate(held) if was == step["entered"]][-1:]
            if earlier:
                del held[earlier[0] + 1:]
                self.assertNotIn("dwell", step, f"frame {frame}")
                return
        dwell = max(times[frame] - times[since], 0) if since else None
        shown = step.get("dwell")
        self.assertEqual(shown and Decimal(shown), dwell, f"frame {frame}, left {state}")
        held.append((step["entered"], frame))

    def test_1_local_end_is_decided_once(self):
        """Only a SYN that opens a new connection may change how the local end was chosen."""
        latest = {}
        for layer in (layer for layer in self.layers if layer.shown):
            by = layer.shown["tcpstate.local.by"]
            before = latest.setdefault(frozenset((layer.source, layer.destination)), by)
            opens = "<CTL=SYN>" in layer.segment() and STATES.index("SYN_SENT") not in (
                int(layer.shown[f"{end}.previous"]) for end in ENDS)
            if not opens:
                self.assertEqual(by, before, f"frame {layer.frame}")
            latest[frozenset((layer.source, layer.destination))] = by

    def test_2_states_are_the_truth(self):
        connections = {}
        for layer, sent in zip(self.layers, self.by_sender, strict=True):
            if layer.shown:
                pair = frozenset((layer.source, layer.destination))
                connections.setdefault(pair, []).append((layer, sent))
        self.assertEqual(len(connections), len(self.made.connections), "number of connections")
        for seen, rows in zip(connections.values(), self.made.connections):
            wrong = []
            self.assertEqual([layer.segment() for layer, _ in seen],
                             [_segment(row) for row in rows], "segments that have a state")
            a = seen[0][0].source if rows[0].from_a else seen[0][0].destination
            for (layer, sent), row in zip(seen, rows):
                self.assertEqual(layer.source == a, row.from_a, f"direction, {layer.frame}")
                a_end, b_end = _truth(row)
                in_order = [a_end, b_end] if row.from_a else [b_end, a_end]
                got = [sent.end(end) for end in ENDS]
                if got != in_order:
                    wrong.append(f"frame {layer.frame} {layer.segment()}: sender, receiver must "
                                 f"be {', '.join(in_order)}; shown {', '.join(got)}")
                near = {"A": [a_end, b_end], "B": [b_end, a_end]}.get(self.made.local)
                if near and got == in_order and [layer.end(end) for end in ENDS] != near:
                    wrong.append(f"frame {layer.frame}: local must be {self.made.local}")
            if wrong:
                self.fail(f"{self.made.source}:\n" + "\n".join(wrong))

    def test_3_sharkd_in_random_order(self):
        seed = int(os.environ.get("TCPSTATE_SEED") or random.SystemRandom().randrange(10**6))
        frames = sorted({layer.frame for layer in self.layers}) * 2
        print(f"TCPSTATE_SEED={seed}", file=sys.stderr)
        random.Random(seed).shuffle(frames)
        self.sharkd.load(self.capture)
        for frame in frames:
            expected = [item for layer in self.layers if layer.frame == frame
                        for item in layer.labels]
            self.assertEqual(_plugin_nodes(self.sharkd.frame(frame)), expected,
                             f"frame {frame}")

    def test_4_golden(self):
        golden = HERE / "golden" / f"{self.capture.stem}.txt"
        text = _header(self.capture, self.made) + table(self.layers)
        self.assertTrue(golden.exists(), f"no {golden.name}; make it with --bless")
        self.assertEqual(golden.read_text(), text)


class Modes(unittest.TestCase):
    """All captures in one file: however it is read, the same is shown."""
    tshark = None
    file = None     # set by main()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.layers = layers_of(cls.tshark, cls.file)
        assert any(layer.shown for layer in cls.layers), "no state is shown"

    def same_table(self, layers, how):
        expected, got = table(self.layers), table(layers)
        if got != expected:
            self.fail(f"{how} shows something else:\n" + "".join(difflib.unified_diff(
                expected.splitlines(True), got.splitlines(True), "one pass", how)))
        self.assertEqual([layer.shown for layer in layers],
                         [layer.shown for layer in self.layers], how)

    def test_two_passes(self):
        """Once the capture has been read, it is also shown how connections stand at its end."""
        layers = layers_of(self.tshark, self.file, ["-2"])
        for layer in layers:
            for name in [name for name in layer.shown if name.endswith((
                    ".final", ".final.str", ".left_open", ".attempt", ".attempt.str"))]:
                del layer.shown[name]
        self.same_table(layers, "-2")

    def test_display_filter(self):
        filtered = layers_of(self.tshark, self.file, shown=ALL_STATES)
        kept = {layer.frame for layer in filtered}
        self.assertEqual(kept, {layer.frame for layer in self.layers if layer.shown})
        others = [layer for layer in self.layers if layer.frame not in kept]
        self.same_table(sorted(filtered + others, key=lambda layer: layer.frame), "-Y tcpstate")

    def test_columns_without_a_filter(self):
        names = [f"tcpstate.{end}{form}" for end in ("local", "remote", "src", "dst")
                 for form in ("", ".str")]
        columns = ['"No.","%m"'] + [f'"{name}","%Cus:{name}:0:R"' for name in names]
        out = self.tshark.run(["-T", "tabs", "-o", "gui.column.format:" + ",".join(columns)],
                              self.file).stdout
        shown = {}
        for line in out.splitlines():
            number, *cells = (cell.strip() for cell in line.split("\t"))
            shown[int(number)] = cells + [""] * (len(names) - len(cells))
        for frame, cells in shown.items():
            here = [layer for layer in self.layers if layer.frame == frame and layer.shown]
            for name, cell in zip(names, cells):
                text = name if name.endswith(".str") else f"{name}.str"
                self.assertEqual(cell, ",".join(layer.shown[text] for layer in here),
                                 f"column {name}, frame {frame}")
        self.assertLessEqual({layer.frame for layer in self.layers}, set(shown))

    def test_sender_is_local(self):
        layers = layers_of(self.tshark, self.file, SENDER_IS_LOCAL)
        for layer, expected in zip(layers, map(sender_first, self.layers), strict=True):
            for each in layer, expected:
                each.shown.pop("tcpstate.local.by", None)
            if layer.source != layer.destination:
                self.assertEqual((layer.shown, layer.steps), (expected.shown, expected.steps), f"frame {layer.frame}")


def _segment(row):
    """A ladder's row as Layer.segment() writes it."""
    flags = [name for name in FLAGS if name in row.flags]
    return f"<SEQ={row.seq}>" + (f"<ACK={row.ack}>" if "ACK" in flags else "") \
        + f"<CTL={','.join(flags)}>" + (f"<DATA={row.length}>" if row.length else "")


def _truth(row):
    """A's and B's state as Layer.end() writes them."""
    return (row.a_state + ("" if row.a_confirmed else "?"),
            row.b_state + ("" if row.b_confirmed else "?"))


def _plugin_nodes(nodes):
    """(name, text) of the plugin's items in a sharkd tree, in order."""
    found = []
    for node in nodes:
        name = node.get("f", "").partition(" ")[0]
        if name == "tcpstate" or name.startswith("tcpstate."):
            found.append((name, node["l"]))
        found += _plugin_nodes(node.get("n", ()))
    return found


def _header(capture, made):
    """Where the truth about a capture is to be found."""
    recorded = capture.with_suffix(".states")
    if made and made.connections:
        truth = [f"{made.source} in test-captures, which tests/regress/run.py holds this against."]
    elif recorded.exists():
        truth = [f"test-captures/{recorded.name}, the states that the kernels were in, which",
                 "tests/conformance/compare.py holds the plugin against. This table only pins it."]
    else:
        truth = ["none. This table only pins what the plugin shows."]
    return "# {}\n# Truth: {}\n# ? = assumed, not confirmed.\n\n".format(
        capture.name, "\n# ".join(truth))


def checks_of(capture):
    """The class of a capture's checks, named after it."""
    made = build.CAPTURES.get(capture.stem)
    if made and made.path != capture:
        made = None
    members = {"capture": capture, "made": made, "__module__": __name__}
    # What cannot be asked of this capture is no test rather than a skipped one.
    if not made or not made.connections:
        members["test_2_states_are_the_truth"] = None
    return type(capture.stem, (Regress, unittest.TestCase), members)


def passes(checks):
    """Run a class of checks; whether there are any, and all pass."""
    done = unittest.TextTestRunner(verbosity=1).run(unittest.defaultTestLoader.loadTestsFromTestCase(checks))
    return done.wasSuccessful() and done.testsRun > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("captures", type=Path, nargs="+", metavar="CAPTURE")
    parser.add_argument("--bless", action="store_true", help="write the golden files")
    arguments = parser.parse_args()
    if arguments.bless:
        Regress.test_4_golden = None
    wrong = 0
    with Tshark() as tshark, tshark.sharkd() as Regress.sharkd, tempfile.TemporaryDirectory() as folder:
        Regress.tshark = Modes.tshark = tshark
        for capture in arguments.captures:
            checks = checks_of(capture.resolve())
            if not passes(checks):
                print(f"fails: {capture.name}")
                wrong += 1
            elif arguments.bless:
                golden = HERE / "golden" / f"{capture.stem}.txt"
                golden.write_text(_header(checks.capture, checks.made) + table(checks.layers))
        Modes.file = together(arguments.captures, Path(folder) / "together.pcapng")
        wrong += not passes(Modes)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
