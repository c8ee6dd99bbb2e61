#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a RST was sent: shown on RSTs alone, the same on every pass and in any order, and in views.

Whether it is right is for ../conformance to tell."""

import json
import re
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"

# By the kernels' reasons, which stand in their .states: on which frame, why, and whether that can be proved.
CAUSES = {
    "refused": [(2, "nothing listens", False)],
    "server-aborts": [(8, "aborted by its program", False)],
    "half-open-found-by-data": [(9, "connection unknown", False)],
    "data-after-close": [(11, "data after close", True)],
    "time-wait-assassinated": [(14, "old duplicate in TIME_WAIT", True)],
    "answer-and-unread-data-by-server": [(12, "aborted by its program", False), (13, "connection unknown", False)],
    "keep-alive-in-vain-by-server": [(10, "keep-alive or user timeout", False)],
    "mptcp-join-prohibited": [(9, "handshake given up", False), (10, "aborted by its program", False)],
    "request-races-close": [(10, "data after close", True)],
    "figure-09": [(8, "unacceptable acknowledgement", False)],
    "programs/keep-alive-race-client": [(11, "data after close", False), (12, "data after close", False)],
    "programs/keep-alive-race-server": [(10, "data after close", True), (12, "data after close", True)],
    "programs/proxy-upstream-dead-client": [(2, "nothing listens", False)],
    "programs/proxy-upstream-resets-client": [(8, "aborted by its program", False)],
    "programs/max-time-unread-server": [(23, "aborted by its program", False), (24, "connection unknown", False)],
    "programs/unread-by-server-client": [(10, "aborted by its program", False), (11, "connection unknown", False)],
}
FIELDS = ["frame.number", "tcp.flags.reset", "tcpstate.reset_cause", "tcpstate.reset_cause.str",
          "tcpstate.reset_cause.confirmed"]


class Resets(unittest.TestCase):
    """The fields, and what the views print of them."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.sharkd = cls.tshark.sharkd()

    def test_causes(self):
        for name, causes in CAUSES.items():
            with self.subTest(capture=name):
                self.sharkd.load(CAPTURES / f"{name}.pcap")
                rows = self.sharkd.rows(FIELDS[:1] + FIELDS[3:])
                self.assertEqual([(int(number), text, confirmed == "True") for number, text, confirmed in rows if text],
                                 causes)

    def test_same_on_every_pass(self):
        """On each RST of all bundled captures that has a state, and on nothing else."""
        with tempfile.TemporaryDirectory() as folder:
            whole = together([*sorted(CAPTURES.glob("*.pcap"))], Path(folder) / "whole.pcapng")
            once = self.tshark.fields(whole, FIELDS)
            twice = self.tshark.fields(whole, FIELDS, ["-2"])
            self.assertEqual(once, twice)
            told = [row for row in once if row[2]]
            self.assertEqual([row for row in once if row[1] in ("1", "True")], told)
            self.assertGreater(len({row[3] for row in told}), 5)

            self.sharkd.load(whole)
            for row in reversed(told):
                text = json.dumps(self.sharkd.frame(int(row[0])))
                shown = re.search(r'"Reset because: ([^,"]*), (confirmed|assumed)\.', text)
                self.assertEqual((shown[1], shown[2] == "confirmed"), (row[3], row[4] in ("1", "True")), row)

    def test_views(self):
        out = self.tshark.run(["-q", "-z", "tcpstate,ladder", "-z", "tcpstate,connections", "-z", "tcpstate,json"],
                              CAPTURES / "request-races-close.pcap").stdout
        self.assertIn("closed by the server\nwhy: data after close\n", out)
        self.assertRegex(out, r"(?m)^4 CLOSED.*\n  why: data after close$")
        told = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
        self.assertEqual((told["reset_cause"], told["reset_cause_confirmed"], told["attempt"]),
                         ("data after close", True, None))

    def test_idle_time(self):
        out = self.tshark.run(["-q", "-z", "expert"], CAPTURES / "request-races-close.pcap").stdout
        self.assertRegex(out, r"idle for 0\.52 s.*: the server has the shorter idle timeout")

    def test_attempts(self):
        """Known once the capture has been read."""
        for name, attempt in (("refused", "refused by RST"), ("odd/syn-unanswered", "SYN,ACK only")):
            with self.subTest(capture=name):
                self.sharkd.load(CAPTURES / f"{name}.pcap")
                rows = self.sharkd.rows(["tcpstate.attempt.str"])
                self.assertEqual({text for text, in rows}, {attempt})
                capture = CAPTURES / f"{name}.pcap"
                self.assertEqual(self.tshark.fields(capture, ["tcpstate.attempt"])[0], [""])


if __name__ == "__main__":
    unittest.main()
