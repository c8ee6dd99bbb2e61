#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Expert information: each anomaly on its frame, none on ordinary traffic; and its preferences."""

import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tables import ANOMALIES  # noqa: E402
from tshark import Tshark, run_tool  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"

# By the captures' own description (test-captures/README.md): the frame on which each becomes
# visible. All other bundled captures show none; those of real programs are held by ../programs, those of other stacks by
# ../conformance/stacks.
EXPECTED = {
    "abort-in-close-wait": {10: "abort"},
    "client-aborts": {8: "abort"},
    "server-aborts": {8: "abort"},
    "refused": {2: "refused"},
    "simultaneous-open": {2: "simultaneous_open"},
    "simultaneous-close": {9: "simultaneous_close"},
    "time-wait-reuse": {12: "time_wait_reused"},
    "time-wait-assassinated": {14: "time_wait_cut"},
    "half-open-found-by-data": {9: "half_open"},
    "data-after-close": {11: "data_after_close"},
    "answer-and-unread-data-by-server": {12: "abort"},
    "keep-alive-in-vain-by-server": {10: "abort"},
    "mptcp-join-prohibited": {9: "half_open"},
    "request-races-close": {10: "close_race data_after_close"},
    "figure-07": {2: "simultaneous_open"},
    "figure-09": {6: "syn_synchronized", 8: "half_open"},
    "figure-10": {7: "half_open"},
    "figure-13": {5: "simultaneous_close"},
    # The FIN, its ACK, and the keep-alive after 80 s.
    "odd/close-wait-leak": {7: "left_open", 8: "left_open", 11: "stuck"},
    # Three connections like that, and four whose handshake was never completed: shown on the SYN.
    "odd/busy-server": {**{frame: "left_open" for frame in (7, 8, 15, 16, 23, 24, 47, 49, 52, 55)},
                        **{frame: "stuck" for frame in (69, 71, 73)}},
    "odd/half-open-midstream": {2: "half_open"},
    "odd/lone-rst": {1: "abort"},
    "odd/old-syn-in-established": {6: "syn_synchronized"},
    "odd/rst-in-window": {6: "rst_ignored"},
    "odd/rst-out-of-window": {6: "rst_ignored"},
    # Its sender is taken to be gone when the peer sends on, and says so to the peer's data.
    "odd/rst-lost": {6: "abort", 8: "data_after_close"},
    "odd/server-reboots-and-calls": {6: "syn_synchronized", 8: "half_open"},
    "odd/time-wait-expires": {12: "data_after_close"},  # a FIN repeated after TIME_WAIT had ended
}


class Expert(unittest.TestCase):
    """All bundled captures."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.sharkd = cls.tshark.sharkd()

    def shown(self, capture, stuck_after=60):
        """Frame to the words of its anomalies, joined by blanks; only frames that have one."""
        self.sharkd.set("tcpstate.stuck_after", stuck_after)
        self.sharkd.load(capture)
        found = {}
        for number, *values in self.sharkd.rows(["frame.number", *(f"tcpstate.expert.{word}" for word in ANOMALIES)]):
            words = [word for word, value in zip(ANOMALIES, values) if value]
            if words:
                found[int(number)] = " ".join(words)
        return found

    def listed(self, capture, arguments=()):
        """(severity, protocol, summary) to count, by -z expert."""
        found, severity = {}, None
        for line in self.tshark.run(["-q", "-z", "expert", *arguments], capture).stdout.splitlines():
            if heading := re.match(r"(Errors|Warns|Notes|Chats) \(", line):
                severity = heading[1]
            elif row := re.match(r" +(\d+) +\S+ +(TCP State) +(.*)", line):
                found[severity, row[2], row[3]] = int(row[1])
        return found

    def test_each_on_its_frame_and_no_other(self):
        names = sorted(str(path.relative_to(CAPTURES).with_suffix(""))
                       for path in CAPTURES.rglob("*.pcap") if path.parent.name not in ("programs", "stacks"))
        self.assertLessEqual(set(EXPECTED), set(names))
        for name in names:
            with self.subTest(capture=name):
                self.assertEqual(self.shown(CAPTURES / f"{name}.pcap"), EXPECTED.get(name, {}))

    def test_listed_with_severity_without_a_tree(self):
        headings = {"WARN": "Warns", "NOTE": "Notes", "CHAT": "Chats"}
        for name in ("figure-09", "simultaneous-close", "time-wait-reuse"):
            counts = {}
            for word in EXPECTED[name].values():
                key = headings[ANOMALIES[word].severity], "TCP State", ANOMALIES[word].summary
                counts[key] = counts.get(key, 0) + 1
            for arguments in [], ["-2"]:
                self.assertEqual(self.listed(CAPTURES / f"{name}.pcap", arguments), counts, name)

    def test_left_open(self):
        """Once read: a warning for the CLOSE_WAIT that is proved, a note for the FIN_WAIT_2 of its peer; with how long."""
        capture = CAPTURES / "odd" / "close-wait-leak.pcap"
        self.assertEqual(self.listed(capture), {("Warns", "TCP State", ANOMALIES["stuck"].summary): 1})
        rows = self.tshark.fields(capture, ["frame.number", "_ws.expert.severity", "_ws.expert.message"],
                                  ["-2", "-Y", "tcpstate.expert.left_open"])
        last = float(self.tshark.fields(capture, ["frame.time_relative"])[-1][0])
        since = {number: float(time) for number, time in self.tshark.fields(
            capture, ["frame.number", "frame.time_relative"])}
        for row, *expected in zip(rows, ("7", "8"), (0x600000, 0x400000), ("CLOSE_WAIT", "FIN_WAIT_2?"), strict=True):
            number, severity, state = expected
            self.assertEqual([row[0], row[1].split(",")[-1]], [number, str(severity)])  # behind Wireshark's own
            self.assertTrue(row[2].endswith(
                f"{state} never left until the end of the capture, {last - since[number]:.2f} s"), row[2])

    def test_left_open_both_ends(self):
        """One item where one segment put both ends into states that they never left; a leak among them warns."""
        leak = CAPTURES / "odd" / "close-wait-leak.pcap"
        # Without the server's ACK; and with it, but the client repeats its FIN, after the end of the server's answers.
        for frames, again, severity, states in (("1-7", "12", 0x400000, "FIN_WAIT_1? and CLOSE_WAIT?"),
                                                ("1-8", "7", 0x600000, "FIN_WAIT_1 and CLOSE_WAIT")):
            with self.subTest(states), tempfile.TemporaryDirectory() as folder:
                capture, early, late = (Path(folder) / name for name in ("both.pcap", "early.pcap", "late.pcap"))
                run_tool("editcap", "-r", leak, early, frames)
                run_tool("editcap", "-r", *(["-t", "100"] if again == "7" else []), leak, late, again)
                run_tool("mergecap", "-a", "-F", "pcap", "-w", capture, early, late)
                rows = self.tshark.fields(capture, ["frame.number", "_ws.expert.severity", "_ws.expert.message"],
                                          ["-2", "-Y", "tcpstate.expert.left_open"])
                self.assertEqual(len(rows), 1, rows)
                number, severities, messages = rows[0]
                self.assertEqual((number, severities.split(",")[-1]), ("7", str(severity)))
                self.assertEqual(messages.count("never left"), 1)
                self.assertRegex(messages, rf"{re.escape(states)} never left until the end of the capture, (80|100)")
                shown = json.loads(self.tshark.run(["-q", "-z", "tcpstate,json"], capture).stdout)["expert"]
                self.assertEqual([item["frame"] for item in shown if item["item"] == "left_open"], [7])

    def test_expert_fields_of_wireshark_find_them(self):
        found = self.tshark.fields(CAPTURES / "refused.pcap", ["frame.number"],
                                   ["-Y", '_ws.expert.message contains "refused"'])
        self.assertEqual(found, [["2"]])

    def test_stuck(self):
        """CLOSE_WAIT since frame 8; the server's keep-alives come once a second from then on."""
        capture = CAPTURES / "close-wait-left-open.pcap"
        rows = self.tshark.fields(capture, ["frame.number", "ip.src", "frame.time_relative"])
        since = next(float(time) for number, _, time in rows if number == "8")
        for seconds in 1, 3, 60:
            first = next((int(number) for number, source, time in rows
                          if source == "10.9.0.2" and float(time) - since > seconds), None)
            left_open = {8: "left_open", 9: "left_open"} if seconds < 60 else {}
            self.assertEqual(self.shown(capture, seconds), left_open | ({first: "stuck"} if first else {}))
        self.assertEqual(self.shown(CAPTURES / "half-close-download.pcap", 0),
                         self.left_close_wait(CAPTURES / "half-close-download.pcap"))

    def left_close_wait(self, capture):
        """With stuck_after 0, by the first segment without data of the end in CLOSE_WAIT, else where it leaves that."""
        rows = self.tshark.fields(capture, ["frame.number", "tcpstate.server.str", "tcp.len"],
                                  ["-Y", "tcpstate.remote.left==7 || (tcpstate.src.str==CLOSE_WAIT &&"
                                   " tcpstate.remote.duration > 0)"])
        return {next(int(number) for number, state, length in rows
                     if state != "CLOSE_WAIT" or int(length) <= 1): "stuck"}

    def test_info_column(self):
        capture = CAPTURES / "figure-12.pcap"
        lines = {setting: self.tshark.run(["-o", f"tcpstate.info_column:{setting}"],
                                          capture).stdout.splitlines()
                 for setting in ("FALSE", "TRUE")}
        added = [told.removeprefix(plain) for plain, told in zip(lines["FALSE"], lines["TRUE"])]
        self.assertEqual(added, [
            " [local CLOSED → SYN_SENT, remote LISTEN → SYN_RCVD]",
            " [local SYN_SENT → ESTABLISHED]", " [remote SYN_RCVD → ESTABLISHED]",
            " [local ESTABLISHED → FIN_WAIT_1, remote ESTABLISHED → CLOSE_WAIT]",
            " [local FIN_WAIT_1 → FIN_WAIT_2]",
            " [local FIN_WAIT_2 → TIME_WAIT, remote CLOSE_WAIT → LAST_ACK]",
            " [remote LAST_ACK → CLOSED]"])


if __name__ == "__main__":
    unittest.main()
