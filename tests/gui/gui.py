#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Wireshark itself, used as its users do, on a virtual screen. What shows must be what tshark prints.

Each test starts a Wireshark, and ends it by File > Quit: it must end in order, and say nothing on the console that
it does not say without the plugin. To see the screen of a failure, name a folder in $TCPSTATE_PICTURES. Where a
program is missing, all is skipped: exit status 77.
"""

import re
import shutil
import sys
import time
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

from desktop import Desktop, Tshark, missing
from wireshark import Wireshark, learn_usual

PROJECT = Path(__file__).resolve().parent.parent.parent
CAPTURES = PROJECT / "test-captures"
PROFILE = "TCP State"
PROFILE_FOLDER = PROJECT / "plugin" / "profile"
LEAK = CAPTURES / "close-wait-left-open.pcap"
BUSY = CAPTURES / "odd" / "busy-server.pcap"
WHOLE = CAPTURES / "client-closes-first.pcap"


def profile_colour(rule):
    """The background of a colouring rule of the profile, as #RRGGBB."""
    red, green, blue = re.search(rf"^@{rule}@.*@\[(\d+),(\d+),(\d+)\]\[", (PROFILE_FOLDER / "colorfilters")
                                 .read_text(), re.M).groups()
    return f"#{int(red) >> 8:02X}{int(green) >> 8:02X}{int(blue) >> 8:02X}"


def subtree(tshark, capture, frame):
    """The lines below TCP State in a frame's details, its own first, as tshark prints them."""
    out = tshark.run(["-2", "-C", PROFILE, "-V", "-O", "tcpstate", "-Y", f"frame.number=={frame}"], capture).stdout
    lines = out[out.index("[TCP State: "):].splitlines()
    return [line.strip() for line in lines if line.strip()]


class Gui(unittest.TestCase):
    """One screen for all; the profile is in the home folder, as install-user leaves it."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        stock = cls.enterClassContext(Tshark(stock=True))
        cls.tshark = cls.enterClassContext(Tshark())
        cls.desktop = cls.enterClassContext(Desktop(cls.tshark))
        learn_usual(cls.desktop, LEAK, stock)

    def setUp(self):
        """As a new user: what the test before has set is gone."""
        shutil.rmtree(self.tshark.home / ".config", ignore_errors=True)
        self.tshark.add_profile(PROFILE, PROFILE_FOLDER)

    def wireshark(self, capture, profile=PROFILE):
        """A Wireshark, until the test ends."""
        return Wireshark(self.desktop, capture, profile)

    def printed(self, capture, *arguments):
        return self.tshark.run(["-q", *arguments], capture).stdout

    def packet_list(self, capture, *arguments):
        """The columns of the profile's packet list as tshark prints them: a list of rows."""
        out = self.tshark.run(["-2", "-C", PROFILE, "-T", "psml", *arguments], capture).stdout
        return [[section.text or "" for section in packet] for packet in ET.fromstring(out).iter("packet")]

    def subtree(self, capture, frame):
        return subtree(self.tshark, capture, frame)

    def expect_subtree(self, wireshark, capture, frame):
        def below():
            lines = wireshark.details()
            starts = [number for number, line in enumerate(lines) if line.startswith("[TCP State: ")]
            return lines[starts[0]:] if starts else []
        wireshark.expect(self.subtree(capture, frame), below, f"the subtree of frame {frame}")

    def test_a_new_user_finds_the_leak(self):
        """No dialog in the way; the profile from the list; one button; the address behind CLOSE_WAIT."""
        with self.wireshark(BUSY, profile=None) as wireshark:
            self.assertEqual(self.desktop.windows(), [wireshark.main])
            self.assertNotIn("Source's state", wireshark.columns())
            wireshark.menu("Edit", "Configuration Profiles…")
            wireshark.click("Configuration Profiles", "tree item", PROFILE)
            wireshark.click("Configuration Profiles", "push button", "OK")
            wireshark.gone("Configuration Profiles")
            wireshark.expect(PROFILE, wireshark.profile, "the profile")

            wireshark.click(wireshark.main, "push button", "CLOSE_WAIT")
            expected = self.packet_list(BUSY, "-Y", "tcpstate.src==CLOSE_WAIT || tcpstate.dst==CLOSE_WAIT")
            wireshark.expect(expected, wireshark.rows, "the segments with CLOSE_WAIT")
            self.assertEqual({row[2 if row[3].startswith("CLOSE_WAIT") else 4] for row in expected}, {"10.9.0.2"})

            wireshark.click(wireshark.main, "push button", "Left open")
            expected = self.packet_list(BUSY, "-Y", "tcpstate.expert.left_open")
            wireshark.expect(expected, wireshark.rows, "the segments from which on an end was left")
            self.assertEqual([(row[4], row[5]) for row in expected[:1]], [("10.9.0.2", "CLOSE_WAIT?")])
            tree = wireshark.window(wireshark.main).one("tree", "Packet list")
            second = tree.rows()[1]  # the first is selected
            self.assertEqual(second[3].name, "CLOSE_WAIT")
            self.assertIn(profile_colour("Left open"), self.desktop.colours(*second[6].box))

    def test_filter_subtree_and_link(self):
        with self.wireshark(LEAK) as wireshark:
            wireshark.expect(self.packet_list(LEAK), wireshark.rows, "all segments")
            wireshark.filter("tcpstate.remote==CLOSE_WAIT")
            expected = self.packet_list(LEAK, "-Y", "tcpstate.remote==CLOSE_WAIT")
            wireshark.expect(expected, wireshark.rows, "the segments with CLOSE_WAIT")

            last = int(expected[-1][0])
            wireshark.select(last)
            wireshark.expand("[TCP State: ")
            self.expect_subtree(wireshark, LEAK, last)

            since = self.tshark.fields(LEAK, ["tcpstate.local.since"], ["-Y", f"frame.number=={last}"])[0][0]
            self.desktop.click(wireshark.detail(f"[Local: since frame: {since}]"), times=2)
            wireshark.detail(f"Frame {since}:")
            self.expect_subtree(wireshark, LEAK, since)

    def test_connections(self):
        """The same rows as tshark prints, also under a filter, and once the window was closed."""
        def printed(command):
            """Of each row but its age and who closed, which the window spells out; the server first."""
            lines = self.printed(BUSY, "-z", command).splitlines()[3:]
            rows = [line.split() for line in lines[:lines.index("")] if not line.startswith("  why: ")]
            return [[rank, client_is, server_is, server, client, stream, since]
                    for rank, client_is, server_is, _, *_, client, server, stream, since in rows]

        def shown():
            rows = wireshark.window("Connections").one("tree").texts()
            return [[row[0].split()[0], row[1], row[2], *row[5:9]] for row in rows]

        with self.wireshark(BUSY) as wireshark:
            wireshark.place(wireshark.main, 0, 0, 1020, 740)    # on a small screen; other windows follow its size
            for filter_text in ("", "tcp.port==8080"):
                self.open_connections(wireshark)
                wireshark.write("Connections", "Display filter entry", filter_text)
                wireshark.click("Connections", "push button", "Apply")
                wireshark.expect(printed("tcpstate,connections" + (filter_text and "," + filter_text)), shown,
                                 f"the connections, filter {filter_text!r}")
                self.sort_longest_first(wireshark, shown)
                wireshark.click("Connections", "push button", "Close")
                wireshark.gone("Connections")

    @staticmethod
    def sort_longest_first(wireshark, shown):
        """Once against the order that tshark prints, then into it: the last sort keeps what the one before made."""
        wanted = shown()
        wireshark.click("Connections", "column header", "for (s)")
        wireshark.wait("the shortest first", lambda: shown()[0] != wanted[0])
        time.sleep(1)  # else both are a double click
        wireshark.click("Connections", "column header", "for (s)")
        wireshark.wait("the longest first", lambda: shown()[0] == wanted[0])
        wireshark.click("Connections", "column header", "Rank")
        wireshark.expect(wanted, shown, "by rank, the longest first")

    def open_connections(self, wireshark):
        """Again if need be: Qt 5 tells screen readers nothing of a part that lies where a deleted one lay."""
        parts = []
        while not {"tree", "text", "push button"}.issubset(parts):
            if parts:
                self.desktop.keys("Escape")
                wireshark.gone("Connections")
            wireshark.menu("Statistics", "TCP State Connections")
            self.expect_servers_in_sight(wireshark)
            wireshark.place("Connections", 50, 50, 1200, 600)
            wireshark.find("Connections", "label", "Display filter:")
            parts = [node.role for node in wireshark.window("Connections").children]

    @staticmethod
    def expect_servers_in_sight(wireshark):
        """In the window as it opens, without scrolling."""
        def in_sight():
            tree = wireshark.window("Connections").one("tree")
            server = tree and tree.one("tree item", re.compile(r"10\.9\.0\.2:\d+"))
            return server and server.box[0] + server.box[2] <= tree.box[0] + tree.box[2]
        wireshark.wait("the servers' column in sight", in_sight)

    def test_states(self):
        """Names, counts, averages, least and greatest of the tree, as tshark prints them."""
        lines = self.printed(BUSY, "-2", "-z", "tcpstate,tree").splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("Topic / Item"))
        ends = [lines[start].index(title) for title in ("Count", "Average", "Min Val", "Max Val", "Rate (ms)")]
        expected = [[line[a:b].strip() for a, b in zip([0, *ends], ends)] for line in lines[start + 2:]
                    if line.strip("-= ")]

        def shown():
            rows = wireshark.window("States").one("tree").texts()
            return sorted(row[:5] for row in rows)

        with self.wireshark(BUSY) as wireshark:
            wireshark.menu("Statistics", "TCP State", "States")
            wireshark.place("States", 20, 20, 1400, 940)
            wireshark.expect(sorted(expected), shown, "the states")

    def test_flow_graph(self):
        """Of the type TCP State, exported as text: what tshark prints. The picture has the colour of the close."""
        exported = self.tshark.home / "flow.txt"
        with self.wireshark(LEAK) as wireshark:
            wireshark.menu("Statistics", "Flow Graph")
            wireshark.pick("· Flow ·", "Flow type:", "TCP State")
            wireshark.place("· Flow ·", 50, 50, 1100, 700)
            wireshark.click("· Flow ·", "push button", "Export")
            wireshark.pick("Save Graph As", "Files of type:", "ASCII (*.txt)")
            wireshark.write("Save Graph As", re.compile(".*"), str(exported))
            self.desktop.keys("Return")
            wireshark.gone("Save Graph As")
            wireshark.expect(self.printed(LEAK, "-z", "flow,tcpstate,standard"),
                             lambda: exported.exists() and exported.read_text(), "the exported graph")
            box = wireshark.window("· Flow ·").box
            half_closed = profile_colour("FIN_WAIT_2 or CLOSE_WAIT")
            wireshark.wait("the colour of a half-closed connection", lambda: half_closed in self.desktop.colours(*box))
            wireshark.click("· Flow ·", "push button", "Close")

    def test_follow_stream(self):
        with self.wireshark(BUSY) as wireshark:
            wireshark.select(9)  # the second connection
            wireshark.menu("Analyze", "Follow", "TCP Stream")
            wireshark.window("Follow TCP Stream")
            expected = self.packet_list(BUSY, "-Y", "tcp.stream==1")
            wireshark.expect(expected, wireshark.rows, "the stream's segments with their states")
            wireshark.click("Follow TCP Stream", "push button", "Close")
            wireshark.gone("Follow TCP Stream")
            wireshark.expect(expected, wireshark.rows, "the stream's segments, once the window is closed")

    def test_reload(self):
        """As it was; and after the file has changed on the disk, what that holds now."""
        with self.wireshark(WHOLE) as wireshark:
            complete = self.packet_list(WHOLE)
            wireshark.expect(complete, wireshark.rows, "the whole connection")
            whole = wireshark.capture.read_bytes()
            wireshark.menu("View", "Reload")
            wireshark.expect(complete, wireshark.rows, "the same once more")
            shutil.copyfile(LEAK, wireshark.capture)
            wireshark.menu("View", "Reload")
            wireshark.expect(self.packet_list(LEAK), wireshark.rows, "what the file holds now")
            wireshark.capture.write_bytes(whole)
            wireshark.menu("View", "Reload")
            wireshark.expect(complete, wireshark.rows, "the whole connection again")

    def test_open_another(self):
        with self.wireshark(LEAK) as wireshark:
            wireshark.menu("Statistics", "TCP State Connections")
            wireshark.window("Connections")
            other = self.tshark.readable(WHOLE)
            wireshark.menu("File", "Open")
            wireshark.write("Open Capture File", re.compile(".*"), str(other))
            self.desktop.keys("Return")
            wireshark.main = other.name
            wireshark.wait("the other capture", wireshark.packets)
            wireshark.expect(self.packet_list(WHOLE), wireshark.rows, "the other capture")

    def test_preference(self):
        """Local is the server now: the subtree says so at once, and the filter finds the other end."""
        before = self.subtree(LEAK, 9)
        with self.wireshark(LEAK) as wireshark:
            wireshark.select(9)
            wireshark.expand("[TCP State: ")
            self.expect_subtree(wireshark, LEAK, 9)

            wireshark.menu("Edit", "Preferences…")
            wireshark.click("Preferences", "tree item", "Protocols")
            self.desktop.keys("Right")
            wireshark.wait("the protocols", lambda: "expanded" in wireshark.find(
                "Preferences", "tree item", "Protocols").states)
            self.desktop.type("TCP State")
            wireshark.pick("Preferences", "Local endpoint", "Server")
            wireshark.click("Preferences", "check box", "Transitions in the Info column")
            wireshark.click("Preferences", "push button", "OK")
            wireshark.gone("Preferences")

            # as tshark has it from the file that Wireshark has written
            wireshark.expect(self.packet_list(LEAK), wireshark.rows, "the Info column")
            self.assertIn("CLOSE_WAIT", wireshark.rows()[7][6])
            self.assertNotEqual(self.subtree(LEAK, 9), before)
            wireshark.select(9)
            self.expect_subtree(wireshark, LEAK, 9)
            wireshark.filter("tcpstate.local==CLOSE_WAIT")
            wireshark.expect(self.packet_list(LEAK, "-Y", "tcpstate.local==CLOSE_WAIT"), wireshark.rows,
                             "the server in CLOSE_WAIT")


if __name__ == "__main__":
    if why := missing():
        print(f"skipped: {why}")
        sys.exit(77)
    unittest.main()
