#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's tables of fields, expert information, preferences and statistics say what the plugin
registers: all of it, and nothing else."""

import re
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tables import ANOMALIES  # noqa: E402
from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

README = HERE.parent.parent / "README.md"
CAPTURES = HERE.parent.parent / "test-captures"
CAPTURE = CAPTURES / "figure-06.pcap"
# In these each filter of the README finds something. busy-server last: its connections are left open at the end.
FILTERED = ("server-closes-first", "refused", "lost-last-ack", "half-open-found-by-data", "simultaneous-close",
            "data-after-close", "half-close-download", "odd/busy-server")

TYPES = {"state": "FT_UINT8", "name": "FT_UINT8", "string": "FT_STRING", "time": "FT_RELATIVE_TIME",
         "frame": "FT_FRAMENUM", "boolean": "FT_BOOLEAN"}

ENDS = tuple(f"tcpstate.{end}" for end in ("local", "remote", "client", "server", "src", "dst"))


def table(section):
    """The rows of the first table below a heading, each a list of cells."""
    text = README.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", text, re.M)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def names(cell):
    """The words of a cell in code type."""
    return re.findall(r"`([^`]+)`", cell)


class Readme(unittest.TestCase):
    """Each table."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        lines = (line.split("\t") for line in cls.tshark.run(["-G", "fields"]).stdout.splitlines())
        cls.registered = {part[2]: part[3] for part in lines
                          if part[0] == "F" and part[2].startswith("tcpstate.")}

    def test_fields(self):
        told = {}
        for cell, kind, _ in table("Fields"):
            for name in names(cell):
                ends = ENDS if name.startswith("….") else ("",)
                for end in ends:
                    told[end + name.removeprefix("…")] = TYPES[kind]
        self.assertEqual(told, {name: kind for name, kind in self.registered.items()
                                if not name.startswith("tcpstate.expert.")})

    def test_filters(self):
        """Each finds segments, in bundled captures, whichever end is local."""
        capture = together([CAPTURES / f"{name}.pcap" for name in FILTERED], self.folder / "filtered.pcapng")
        filters = [text for _, cell in table("Filters to copy") for text in names(cell) if text != "tshark -2"]
        self.assertGreater(len(filters), 20)
        for text in filters:
            with self.subTest(filter=text):
                self.assertTrue(any(self.tshark.run(["-2", "-o", f"tcpstate.local_endpoint:{local}", "-Y", text],
                                                    capture).stdout for local in ("client", "server")))

    def test_expert_information(self):
        told = {names(cell)[0]: severity for cell, severity, _ in table("Expert information")}
        self.assertEqual(set(told), {name for name in self.registered
                                     if name.startswith("tcpstate.expert.")})
        for word, each in ANOMALIES.items():
            self.assertTrue(told[f"tcpstate.expert.{word}"].upper().startswith(each.severity), word)

    def test_preferences(self):
        told = {names(cell)[0]: (names(default) or [default])[0]
                for cell, default, _ in table("Preferences")}
        out = self.tshark.run(["-G", "currentprefs"]).stdout
        found = dict(re.findall(r"^#?(tcpstate\.\w+): *(.*)$", out, re.M))
        found["tcpstate.local_endpoint"] = {"Automatic": "auto"}[found["tcpstate.local_endpoint"]]
        self.assertEqual(told, found)

    def test_statistics(self):
        for cell, *_ in table("Seeing whole connections"):
            argument = names(cell)[0].removeprefix("-z ").partition("[")[0]
            with self.subTest(argument=argument):
                self.assertTrue(self.tshark.run(["-q", "-z", argument], CAPTURE).stdout.strip())


if __name__ == "__main__":
    unittest.main()
