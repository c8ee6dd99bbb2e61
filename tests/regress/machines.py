#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin in which hardly any machine is at work, all others packed, shows what the plugin itself shows.

    tests/regress/machines.py build/dev/tests/tcpstate_few.so

That plugin is held against the golden tables of all captures, and against TCPSTATE_PLUGIN on captures of many
connections at once.
"""

import os
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), *(str(HERE.parent / folder) for folder in ("", "bench", "fuzz"))]

import captures  # noqa: E402
import hostile  # noqa: E402
from run import build, layers_of, table  # noqa: E402
from tshark import Tshark  # noqa: E402

ENDS = ("local", "remote")
SHOWN = ["frame.number", "tcpstate.closed_by", "tcpstate.midstream", "tcpstate.transition",
         *(f"tcpstate.{end}{form}" for end in ENDS
           for form in ("", ".previous", ".confirmed", ".since", ".duration", ".event"))]


def tshark_with(plugin):
    """A Tshark with that plugin in place of TCPSTATE_PLUGIN's."""
    ours = os.environ["TCPSTATE_PLUGIN"]
    os.environ["TCPSTATE_PLUGIN"] = str(plugin)
    try:
        return Tshark().__enter__()
    finally:
        os.environ["TCPSTATE_PLUGIN"] = ours


class Machines(unittest.TestCase):
    """The checks; the plugin is set by main()."""
    plugin = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tshark = tshark_with(cls.plugin)
        cls.addClassCleanup(cls.tshark.__exit__)

    def test_golden_tables(self):
        found = sorted([*build.HERE.glob("*.pcap"), *build.HERE.glob("odd/*.pcap")])
        self.assertGreater(len(found), 50)
        for capture in found:
            golden = (HERE / "golden" / f"{capture.stem}.txt").read_text()
            with self.subTest(capture.name):
                self.assertEqual(golden.partition("\n\n")[2], table(layers_of(self.tshark, capture)))

    def check_same(self, capture):
        """In one pass each segment is looked at as it comes; of two, nobody looks at the first."""
        with tshark_with(os.environ["TCPSTATE_PLUGIN"]) as usual:
            expected = usual.fields(capture, SHOWN)
        self.assertTrue(any(row[4] for row in expected), "no state")
        self.assertEqual(self.tshark.fields(capture, SHOWN, ["-2"]), expected)

    def check_made(self, write, kind, count):
        with tempfile.TemporaryDirectory(prefix="tcpstate-test-") as folder:
            capture = Path(folder, f"{kind}.pcap")
            write(kind, count, capture)
            self.check_same(capture)

    def test_many_connections(self):
        self.check_made(captures.write, "short", 2000)
        self.check_made(captures.write, "interleaved", 20_000)
        self.check_made(captures.write, "midstream", 3000)

    def test_segments_in_order(self):
        self.check_made(captures.write, "exchanges", 2000)
        self.check_made(captures.write, "long", 2000)

    def test_long_logs(self):
        self.check_made(hostile.write, "turns", 20)

    def test_ports_used_again(self):
        self.check_made(hostile.write, "streams", 100)
        self.check_made(hostile.write, "same", 100)

    def test_segments_within_segments(self):
        self.check_made(hostile.write, "tunnels", 12)


def main():
    Machines.plugin = Path(sys.argv[1]).resolve()
    done = unittest.main(argv=sys.argv[:1], exit=False, verbosity=1)
    return 0 if done.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
