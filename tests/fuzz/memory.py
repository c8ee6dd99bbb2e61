#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory: tshark with Wireshark's strict allocator, and under valgrind, over hostile captures.

    memory.py [strict | valgrind]    (default: both)

The strict allocator (WIRESHARK_DEBUG_WMEM_OVERRIDE) checks canaries around each block and fills
what is freed. Of valgrind's findings those count that have the plugin in their stack; tshark's
own are not ours. Nothing is suppressed.
"""

import os
import random
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "regress"))

from non_interference import ANYTHING, make_captures  # noqa: E402
from tshark import Tshark  # noqa: E402

SEED = 2
FIELDS = ("-T", "fields", "-e", "tcpstate.local.str", "-e", "tcpstate.remote.event",
          "-e", "tcpstate.remote.dwell", "-e", "tcpstate.closed_by")
PLUGIN = HERE.parent.parent / "plugin"
OURS = re.compile(r"tcpstate\.so|\((?:{})\.c:\d+\)".format("|".join(path.stem for path in PLUGIN.rglob("*.c"))))


def require_valgrind():
    """End this program as skipped, with the reason, where valgrind cannot run."""
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        sys.exit(77)
    if "LD_PRELOAD" in os.environ:
        print("skipped: valgrind and AddressSanitizer exclude each other")
        sys.exit(77)


class Memory(unittest.TestCase):
    """Hostile captures, the same in every run but for randpkt's."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="tcpstate-memory-"))
        cls.folder.chmod(0o777)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.captures = make_captures(cls.folder, random.Random(SEED))

    def environment(self, **variables):
        """Set environment variables until the end of the test."""
        for name, value in variables.items():
            before = os.environ.get(name)
            os.environ[name] = value
            self.addCleanup(os.environ.__setitem__ if before is not None
                            else lambda key, _: os.environ.pop(key), name, before)

    def test_strict(self):
        self.environment(WIRESHARK_DEBUG_WMEM_OVERRIDE="strict")
        with Tshark() as tshark:
            for capture in self.captures.values():
                for arguments in (FIELDS, ("-2", *FIELDS)):
                    with self.subTest(capture=capture.name, passes=arguments[0]):
                        out = tshark.run(arguments, capture, expect_stderr=ANYTHING)
                        self.assertNotRegex(out.stderr, "(?i)canary|wmem|assert")

    def test_valgrind(self):
        log = self.folder / "valgrind.log"
        wrapper = self.folder / "tshark"
        real = shutil.which(os.environ.get("TCPSTATE_TSHARK", "tshark"))
        wrapper.write_text("#!/bin/sh\n"
                           'case "$*" in *-r*) ;; *) exec ' + real + ' "$@" ;; esac\n'
                           "exec valgrind --leak-check=full --show-leak-kinds=definite,indirect "
                           f"--keep-debuginfo=yes --num-callers=40 --log-file={log}.%p {real} \"$@\"\n")
        wrapper.chmod(0o755)
        self.environment(TCPSTATE_TSHARK=str(wrapper), G_SLICE="always-malloc",
                         WIRESHARK_DEBUG_WMEM_OVERRIDE="simple")
        with Tshark() as tshark:
            out = tshark.run(("-2", *FIELDS), self.captures["damaged"], expect_stderr=ANYTHING, limit_s=300)
            self.assertIn("ESTABLISHED", out.stdout, "the plugin was not there")
        log, = self.folder.glob("valgrind.log.*")
        text = re.sub(r"^==\d+== ?", "", log.read_text(), flags=re.MULTILINE)
        self.assertIn("ERROR SUMMARY", text)
        for finding in text.split("\n\n"):
            stack = [line for line in finding.splitlines() if re.match(r"\s+(at|by) 0x", line)]
            if any(OURS.search(line) for line in stack):
                self.fail(finding)


if __name__ == "__main__":
    what = sys.argv[1:] or ["strict", "valgrind"]
    if "valgrind" in what:
        require_valgrind()
    unittest.main(argv=[sys.argv[0], *(f"Memory.test_{name}" for name in what)])
