#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The profile "TCP State": its columns, colours, filter buttons and graphs, loaded with -C."""

import csv
import itertools
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CAPTURES = PROJECT / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(CAPTURES)]

import packets  # noqa: E402
from tables import STATES  # noqa: E402
from tshark import Tshark, run_tool  # noqa: E402

PROFILE = PROJECT / "plugin" / "profile"
USE = ["-2", "-C", "TCP State"]    # as Wireshark, which has read the capture before it shows it

COLUMNS = ["No.", "Time", "Source", "Source's state", "Destination", "Destination's state", "Info"]
CLOSING = ("FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK")
FIELDS = ("tcpstate.src.str", "tcpstate.dst.str", "tcpstate.src.mark", "tcpstate.dst.mark", "tcp.flags.reset",
          "tcp.flags.fin", "tcpstate.transition", "tcpstate.closed_by", "tcpstate.left_open", "tcpstate.expert.stuck",
          "tcpstate.expert.left_open", "tcp.analysis.retransmission", "tcp.analysis.out_of_order",
          "tcp.analysis.lost_segment")


class Row(NamedTuple):
    """What the rules ask of a segment."""
    src: str
    dst: str
    src_mark: str
    dst_mark: str
    reset: bool
    fin: bool
    transition: bool
    closed: bool
    left_open: bool
    stuck: bool
    left_here: bool
    again: bool
    out_of_order: bool
    gap: bool

    def either(self, *states):
        return self.src in states or self.dst in states

    def both(self, one, other):
        return sorted((self.src, self.dst)) == sorted((one, other))



# What each rule and button means, said once more without Wireshark's filters.
COLOURS = {
    "Reset": lambda row: row.reset,
    "Left open": lambda row: row.stuck or (row.left_open and row.either(*CLOSING)),
    "Half-open": lambda row: row.both("ESTABLISHED", "CLOSED"),
    "Retransmission": lambda row: row.again or row.out_of_order or row.gap,
    "CLOSING": lambda row: row.either("CLOSING"),
    "LAST_ACK": lambda row: row.either("LAST_ACK"),
    "FIN_WAIT_1": lambda row: row.either("FIN_WAIT_1"),
    "FIN_WAIT_2 or CLOSE_WAIT": lambda row: row.either("FIN_WAIT_2", "CLOSE_WAIT"),
    "TIME_WAIT": lambda row: row.either("TIME_WAIT"),
    "CLOSED": lambda row: row.either("CLOSED"),
    "Opening": lambda row: row.either("SYN_SENT", "SYN_RCVD"),
}
BUTTONS = {
    "Left open": lambda row: row.left_here,
    "Teardown": lambda row: row.closed and (row.transition or row.fin or row.reset),
    "Transitions": None,  # compared with the states before
    "CLOSE_WAIT": lambda row: row.either("CLOSE_WAIT"),
    "TIME_WAIT": lambda row: row.either("TIME_WAIT"),
    "Half-closed": lambda row: row.both("FIN_WAIT_2", "CLOSE_WAIT"),
    "Resets": lambda row: row.reset,
}


# What each graph counts: of each segment the states entered, those left, whether its connection was left open, RST.
GRAPHS = {
    "Left open": lambda entered, left, left_open, reset: left_open and "CLOSE_WAIT" in entered,
    "Enter CLOSE_WAIT": lambda entered, left, left_open, reset: "CLOSE_WAIT" in entered,
    "Leave CLOSE_WAIT": lambda entered, left, left_open, reset: "CLOSE_WAIT" in left,
    "Enter SYN_RCVD": lambda entered, left, left_open, reset: "SYN_RCVD" in entered,
    "Enter TIME_WAIT": lambda entered, left, left_open, reset: "TIME_WAIT" in entered,
    "Resets": lambda entered, left, left_open, reset: reset,
}


def colour_rules():
    """Of the file colorfilters: name, filter, background and text as (red, green, blue) of 0 to 1."""
    for line in (PROFILE / "colorfilters").read_text().splitlines():
        if not line.startswith("#"):
            name, expression, colours = re.fullmatch(r"@([^@]+)@([^@]+)@(.*)", line).groups()
            background, text = re.fullmatch(r"\[(.*)\]\[(.*)\]", colours).groups()
            yield name, expression, *(tuple(int(part) / 65535 for part in colour.split(","))
                                      for colour in (background, text))


def linear(colour):
    """sRGB as light (IEC 61966-2-1)."""
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]


def contrast(one, other):
    """WCAG 2.1: from 1 to 21."""
    light = sorted((sum(part * weight for part, weight in
                        zip(linear(colour), (0.2126, 0.7152, 0.0722), strict=True))
                    for colour in (one, other)), reverse=True)
    return (light[0] + 0.05) / (light[1] + 0.05)


# How those see light who lack one kind of cone: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHTS = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}


def lab(light):
    """CIE L*a*b* of linear sRGB, white D65."""
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (sum(m * c for m, c in zip(row, light, strict=True)) / white
               for row, white in zip(to_xyz, (0.9505, 1.0, 1.089), strict=True))
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(one, other, sight):
    """Between two colours as seen with a sight: CIE 1976; 2.3 is just noticeable side by side."""
    seen = [lab([min(1, max(0, sum(m * c for m, c in zip(row, linear(colour), strict=True))))
                 for row in sight]) for colour in (one, other)]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


def left_for_minutes(path):
    """Two clients close, the server keeps its ends open; until one client gives up a minute later, to the end."""
    client = dict(src=packets.CLIENT4, dst=packets.SERVER4, sport=packets.CLIENT_PORT,
                  dport=packets.SERVER_PORT)
    server = dict(src=packets.SERVER4, dst=packets.CLIENT4, sport=packets.SERVER_PORT,
                  dport=packets.CLIENT_PORT)
    other, to_other = {**client, "sport": 40001}, {**server, "dport": 40001}
    steps = [(0, other, 100, 0, ["SYN"]), (0, to_other, 300, 101, ["SYN", "ACK"]), (0, other, 101, 301, ["ACK"]),
             (0, other, 101, 301, ["FIN", "ACK"]), (0, to_other, 301, 102, ["ACK"]),
             (0, client, 100, 0, ["SYN"]), (0.1, server, 300, 101, ["SYN", "ACK"]),
             (0.2, client, 101, 301, ["ACK"]), (0.3, client, 101, 301, ["FIN", "ACK"]),
             (0.4, server, 301, 102, ["ACK"]), (61, server, 300, 102, ["ACK"]),
             (61.5, client, 102, 0, ["RST"]), (61.55, server, 301, 102, ["ACK"])]
    records = [(round(at * 1_000_000), packets.ethernet(packets.ip(
        end["src"], end["dst"], packets.TCP, packets.tcp(**end, seq=seq, ack=ack, flags=flags))),
        None) for at, end, seq, ack, flags in steps]
    path.write_bytes(packets.pcap(packets.ETHERNET, records))


class Profile(unittest.TestCase):
    """Over all bundled captures with one segment to a frame, and one that takes minutes, in a row."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.tshark.add_profile("TCP State", PROFILE)
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        minutes = folder / "left-for-minutes.pcap"
        left_for_minutes(minutes)
        odd = ("rst-lost", "time-runs-backwards", "half-open-midstream", "icmp-quote")
        cls.capture = folder / "all.pcapng"
        run_tool("mergecap", "-a", "-w", cls.capture, *sorted(CAPTURES.glob("*.pcap")),
                 *(CAPTURES / "odd" / f"{name}.pcap" for name in odd), minutes)
        cls.rows = cls.read_rows()

    @classmethod
    def read_rows(cls):
        """By number of frame, of those that show a state."""
        found = cls.tshark.fields(cls.capture, ["frame.number", *FIELDS],
                                  ["-2", "-E", "occurrence=l", "-Y", "tcpstate"])
        return {int(number): Row(*texts, *(value not in ("", "0", "False") for value in values))
                for number, *texts, values in ((row[0], *row[1:5], row[5:]) for row in found)}

    def frames(self, expression):
        found = self.tshark.fields(self.capture, ["frame.number"], [*USE, "-Y", expression])
        return [int(number) for number, in found]

    def frames_where(self, fits):
        return [number for number, row in self.rows.items() if fits(row)]

    def test_columns(self):
        shown = ET.fromstring(self.tshark.run([*USE, "-T", "psml"], self.capture).stdout)
        self.assertEqual([section.text for section in shown.find("structure")], COLUMNS)
        without = 0
        for packet in shown.iter("packet"):
            cells = dict(zip(COLUMNS, (section.text or "" for section in packet), strict=True))
            row = self.rows.get(int(cells["No."]))
            without += row is None
            self.assertEqual((cells["Source's state"], cells["Destination's state"]),
                             (row.src_mark, row.dst_mark) if row else ("", ""), cells)
        self.assertTrue(without)

    def test_colours(self):
        """The first rule that fits a row names its colour; each rule fits somewhere."""
        self.assertEqual([name for name, *_ in colour_rules()], list(COLOURS))
        used = set()
        shown = self.tshark.fields(self.capture, ["frame.number", "frame.coloring_rule.name"],
                                   [*USE, "--color"])
        for number, name in shown:
            row = self.rows.get(int(number))
            expected = next((rule for rule, fits in COLOURS.items() if row and fits(row)), "")
            self.assertEqual(name, expected, f"frame {number}: {row}")
            used.add(name)
        self.assertEqual(used - {""}, set(COLOURS))

    def test_colour_filters(self):
        for name, expression, *_ in colour_rules():
            with self.subTest(rule=name):
                self.assertEqual(self.frames(expression), self.frames_where(COLOURS[name]))

    def test_colours_can_be_read(self):
        for name, _, background, text in colour_rules():
            self.assertGreaterEqual(contrast(background, text), 4.5, name)

    def test_colours_can_be_told_apart(self):
        rules = {name: background for name, _, background, _ in colour_rules()}
        for sight, matrix in SIGHTS.items():
            for (one, a), (other, b) in itertools.combinations(rules.items(), 2):
                self.assertGreater(difference(a, b, matrix), 10, f"{one}, {other}: {sight}")

    def test_buttons(self):
        lines = (PROFILE / "dfilter_buttons").read_text().splitlines()
        buttons = list(csv.reader(line for line in lines if not line.startswith("#")))
        self.assertEqual([label for _, label, _, _ in buttons], list(BUTTONS))
        for on, label, expression, comment in buttons:
            with self.subTest(button=label):
                self.assertEqual(on, "TRUE")
                self.assertTrue(comment)
                expected = (self.frames_where(BUTTONS[label]) if BUTTONS[label] else
                            self.frames("tcpstate.local.entered or tcpstate.remote.entered"))
                self.assertTrue(expected)
                self.assertEqual(self.frames(expression), expected)

    def test_graphs(self):
        """Of the file io_graphs: what each counts, packets in each interval; the first three show."""
        lines = (PROFILE / "io_graphs").read_text().splitlines()
        graphs = list(csv.reader(line for line in lines if not line.startswith("#")))
        self.assertEqual([name for _, name, *_ in graphs], list(GRAPHS))
        self.assertEqual([shown for shown, *_ in graphs], ["Enabled"] * 3 + ["Disabled"] * 3)
        changes = self.tshark.fields(self.capture, ["frame.number", *(
            f"tcpstate.{end}.{word}" for word in ("entered", "left") for end in ("local", "remote")),
            "tcpstate.left_open", "tcp.flags.reset"], ["-2", "-Y", "tcpstate"])
        for _, name, expression, colour, _, y_axis, *rest in graphs:
            with self.subTest(graph=name):
                self.assertRegex(colour, r"^#[0-9A-F]{6}$")
                self.assertEqual([y_axis, *rest], ["Packets", "", "None", "1"])
                expected = []
                for number, *states, left_open, reset in changes:
                    entered, left = ([STATES[int(state)] for state in ",".join(two).split(",") if state]
                                     for two in (states[:2], states[2:]))
                    if GRAPHS[name](entered, left, left_open in ("1", "True"), reset in ("1", "True")):
                        expected.append(int(number))
                self.assertTrue(expected)
                self.assertEqual(self.frames(expression), expected)


if __name__ == "__main__":
    unittest.main()
