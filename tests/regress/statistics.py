#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-z tcpstate,tree, computed again from what the fields say of each segment."""

import re
import sys
import tempfile
import unittest
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent.parent / "test-captures"
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE)]

from incarnations import CLIENT, SERVER, STATES, connections_of, segments_of  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402


class Statistics(unittest.TestCase):
    """A bundled capture, and many of them in one."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.captures = [CAPTURES / f"{name}.pcap" for name in (
            "client-closes-first", "close-wait-left-open", "ipv6", "lost-fin", "midstream",
            "refused", "server-aborts", "simultaneous-close", "simultaneous-open",
            "time-wait-reuse", "figure-09", "figure-12", "odd/time-runs-backwards",
            "odd/swapped-ports", "odd/ack-before-syn-ack", "odd/half-open-midstream")]
        cls.many = together(cls.captures, folder / "many.pcapng")

    def test_listed(self):
        listed = self.tshark.run(["-z", "help"], expect_stderr=".*")
        self.assertEqual((listed.stdout + listed.stderr).split().count("tcpstate,tree"), 1)

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
        for role, name in ((CLIENT, "client"), (SERVER, "server")):
            counts = {state: count for state, (count, *_) in
                      tree.get(f"Connections by state of the {name}", {"": (0,)}).items()}
            self.assertEqual(counts.pop(""), len(connections))
            self.assertLessEqual(set(counts), set(STATES))
            self.assertEqual({state: count for state, count in counts.items() if count},
                             Counter(c.segments[-1].ends[c.endpoint(role)].state for c in connections))
        steps = [step for connection in connections for _, _, step in connection.steps()]
        arcs = Counter(f"{step.left} -> {step.entered}" for step in steps)
        self.assertEqual({arc: count for arc, (count, *_) in tree["Transitions"].items() if arc},
                         arcs)
        self.assertEqual(tree["Transitions"][""][0], len(steps))
        stays = defaultdict(list)
        for step in steps:
            if step.dwell_ms is not None:
                stays[step.left].append(step.dwell_ms)
                stays[""].append(step.dwell_ms)
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
                self.check_tree(self.tree(capture), segments_of(self.tshark, capture))
        self.assertEqual(self.tree(self.many, ["-2", "-z", "tcpstate,tree"]), self.tree(self.many))

    def test_the_tree_counts_segments_that_a_filter_lets_through(self):
        expression = "frame.number <= 60"
        self.check_tree(self.tree(self.many, ["-z", f"tcpstate,tree,{expression}"]),
                        segments_of(self.tshark, self.many, expression=expression))


if __name__ == "__main__":
    unittest.main()
