#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile numbers: what twice as much input costs, in instructions, and what it takes in memory.

    scale.py MACHINE               the machine and its log alone (MACHINE: built from scale_machine.c)
    scale.py MACHINE --tshark N    also tshark, with the plugin and without, on N, 2N and 3N units

Instructions are counted by valgrind's callgrind, so the machine's load does not matter. Linear cost
doubles; quadratic cost would be four times as much.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from hostile import write  # noqa: E402
from memory import require_valgrind  # noqa: E402
from tshark import Tshark  # noqa: E402

UNITS = 5000
MOST_OF_DOUBLE = 2.15  # what twice the input may cost: look-ups are searches, with a logarithm
MOST_OF_STEP = 1.2     # what a second step of the same size may cost of the first; quadratic: 1.67
# Octets per unit that the machine and its log may take: a machine, and entries with room to spare.
OCTETS = {"transitions": 60, "storm": 360, "scan": 400}


def counted(words, log, **options):
    """Run a command under callgrind; its output and how many instructions it took."""
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           f"--log-file={log}", *words], check=True, capture_output=True,
                          text=True, timeout=600, **options)
    return done.stdout, int(re.search(r"Collected : (\d+)", log.read_text())[1])


class Scale(unittest.TestCase):
    """Twice the input."""
    machine = None
    tshark_units = 0

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tcpstate-scale-"))
        self.folder.chmod(0o777)
        self.addCleanup(shutil.rmtree, self.folder)

    def test_machine(self):
        for what, most in OCTETS.items():
            with self.subTest(what=what):
                outputs, costs = zip(*(counted([self.machine, what, str(units)], self.folder / "log")
                                       for units in (UNITS, 2 * UNITS)))
                octets = [int(output.split()[0]) for output in outputs]
                print(f"{what}: {costs[0]} instructions, {costs[1]} for twice as much; "
                      f"{octets} octets per unit")
                self.assertLess(costs[1], costs[0] * MOST_OF_DOUBLE)
                self.assertLess(max(octets), most)

    def count_tshark(self, arguments, capture, stock):
        """The instructions of a tshark, with the plugin or without."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        real = shutil.which(os.environ.get("TCPSTATE_TSHARK", "tshark"))
        wrapper = self.folder / "tshark"
        wrapper.write_text(f'#!/bin/sh\ncase "$*" in *-r*) ;; *) exec {real} "$@" ;; esac\n'
                           "exec valgrind --tool=callgrind --callgrind-out-file=/dev/null "
                           f'--log-file={log} {real} "$@"\n')
        wrapper.chmod(0o755)
        os.environ["TCPSTATE_TSHARK"] = str(wrapper)
        try:
            with Tshark(stock=stock) as tshark:
                tshark.run(arguments, capture, expect_stderr=".*", limit_s=900)
        finally:
            os.environ["TCPSTATE_TSHARK"] = real
        return int(re.search(r"Collected : (\d+)", log.read_text())[1])

    def test_tshark(self):
        for kind in ("streams", "same", "transitions", "scan"):
            ours = {}
            for times in (1, 2, 3):
                capture = self.folder / f"{kind}-{times}.pcap"
                write(kind, times * self.tshark_units, capture)
                arguments = ("-2", "-R", "tcp", "-n")
                stock = self.count_tshark(arguments, capture, True)
                ours[times] = self.count_tshark(arguments, capture, False) - stock
                print(f"{kind} {times * self.tshark_units}: tshark {stock}, of the plugin {ours[times]}",
                      flush=True)
            with self.subTest(kind=kind):
                self.assertLess(ours[3] - ours[2], (ours[2] - ours[1]) * MOST_OF_STEP)


if __name__ == "__main__":
    require_valgrind()
    Scale.machine = sys.argv[1]
    tests = ["Scale.test_machine"]
    if sys.argv[2:3] == ["--tshark"]:  # takes minutes
        Scale.tshark_units = int(sys.argv[3])
        tests.append("Scale.test_tshark")
    unittest.main(argv=[sys.argv[0], *tests])
