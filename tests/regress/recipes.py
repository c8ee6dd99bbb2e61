#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of commands are right: each console block of a page is run, and must print what the page says.

A block is one command line, "$ tshark -r CAPTURE …", perhaps with a pipe behind it, and its output, in which a line "…"
stands for any others. The command is run in the page's folder.
"""

import re
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tshark import Tshark  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"
PAGES = (CAPTURES / "LESSON.md", CAPTURES / "RECIPES.md", CAPTURES.parent / "README.md")
_BLOCK = re.compile(r"^```console\n\$ (tshark [^\n]*)\n(.*?)^```$", re.M | re.S)


def commands(page):
    """(command line, output) of each console block of a page."""
    return _BLOCK.findall(page.read_text())


def without_pipe(line):
    """(words of the command, what stands behind its first pipe): "" if there is none."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    words = list(lexer)
    if "|" not in words:
        return words, ""
    first = words.index("|")
    return words[:first], shlex.join(words[first + 1:]).replace("'|'", "|")


def matches(output, printed):
    """Whether a page's output is what was printed; "…" stands for lines that the page leaves out."""
    pattern = "".join("(?:.*\n)+?" if line == "…\n" else re.escape(line) for line in output.splitlines(True))
    return re.fullmatch(pattern + "\n*", printed) is not None


class Recipes(unittest.TestCase):
    """All pages."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())

    def printed(self, line, folder):
        """What the command line prints."""
        words, pipe = without_pipe(line)
        words = [word.replace("lua_script:", f"lua_script:{CAPTURES}/") for word in words[1:]]
        place = words.index("-r") if "-r" in words else len(words)
        out = self.tshark.run(words[:place] + words[place + 2:], *(folder / name for name in words[place + 1:place + 2])
                              ).stdout
        if pipe:
            out = subprocess.run(["sh", "-c", pipe], input=out, capture_output=True, text=True, cwd=folder,
                                 check=True, timeout=60).stdout
        return out

    def test_every_command_prints_what_the_page_says(self):
        for page in PAGES:
            found = commands(page)
            self.assertEqual(len(found), page.read_text().count("```console"), page.name)
            for line, output in found:
                with self.subTest(page=page.name, command=line):
                    printed = self.printed(line, page.parent)
                    if not matches(output, printed):
                        self.assertEqual(printed.rstrip("\n"), output.rstrip("\n"))


if __name__ == "__main__":
    unittest.main()
