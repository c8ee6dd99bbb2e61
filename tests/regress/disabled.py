#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Without the plugin, with it, and with it disabled, Wireshark says the same about all else.

    disabled.py [CAPTURE ...]     (default: those in test-captures, several to a file)

"Says" is the detailed listing, the JSON (frame.protocols is in both), and the conversation,
expert, protocol hierarchy and follow-stream outputs. The plugin's own subtree, its line in the
hierarchy and its expert information are taken out of what the enabled plugin says, and nothing else.
"""

import json
import os
import re
import sys
import tempfile
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from together import together  # noqa: E402
from tshark import Tshark  # noqa: E402

CAPTURES = HERE.parent.parent / "test-captures"
TOGETHER = 20  # captures in a file: with them, the outputs of as many of Follow Stream
TEXT = ("-V", "-z", "conv,tcp", "-z", "expert", "-z", "io,phs", "-z", "follow,tcp,raw,0",
        *(word for stream in range(TOGETHER) for word in ("-z", f"follow,tcp,ascii,{stream}")))
JSON = ("-T", "json")
NO_STATE = ("--disable-protocol", "tcpstate")
NO_TCP = ("--disable-protocol", "tcp")


@lru_cache(maxsize=None)
def output(tshark, arguments, capture):
    """What tshark prints."""
    return tshark.run(arguments, capture).stdout


def without_expert_information(text):
    """The list of -z expert without the plugin's own lines, nor headings above nothing else."""
    def section(match):
        heading, total, rule, columns, rows = match.groups()
        own = re.findall(r"^ +(\d+) +\S+ +TCP State  .*\n", rows, re.M)
        rows = re.sub(r"^ +\d+ +\S+ +TCP State  .*\n", "", rows, flags=re.M)
        count = int(total) - sum(int(frequency) for frequency in own)
        return f"{heading} ({count})\n{rule}{columns}{rows}" if rows else ""
    return re.sub(r"^\n(\w+) \((\d+)\)\n(=+\n)( +Frequency .*\n)((?: +\d+ .*\n)*)",
                  section, text, flags=re.M)


def without_plugin(arguments, text):
    """What is left of an output when the plugin's own items are taken out, fit to compare."""
    if arguments == JSON:
        return json.loads(text, object_pairs_hook=lambda pairs: [
            pair for pair in pairs if pair[0] != "tcpstate"])
    text = re.sub(r"^( *)\[?TCP State\b.*\n(?:\1 .*\n)*", "", text, flags=re.MULTILINE)
    text = without_expert_information(text)
    # The protocol hierarchy nests what follows the plugin's item below it: count by path.
    kept, counts, path = [], Counter(), []
    for line in text.splitlines():
        match = re.fullmatch(r"( *)([A-Za-z0-9_.-]+) +frames:(\d+) bytes:(\d+)", line)
        if not match:
            kept.append(line)
            continue
        path[len(match[1]) // 2:] = [match[2]]
        if match[2].removeprefix("...") != "tcpstate":  # dots: it lies too deep to be shown in place
            place = ":".join(name for name in path if name != "tcpstate")
            counts[place, "frames"] += int(match[3])
            counts[place, "bytes"] += int(match[4])
    return kept, counts


def files_of_all(folder):
    """Files in folder that hold all captures, of real programs those of one host, TOGETHER in each; their paths."""
    sources = sorted(path for path in CAPTURES.rglob("*.pcap")
                     if path.parent.name != "stacks" and not path.match("programs/*-server.pcap"))
    return [together(sources[first:first + TOGETHER], folder / f"from-{sources[first].stem}.pcapng")
            for first in range(0, len(sources), TOGETHER)]


class Disabled(unittest.TestCase):
    """Each test takes every capture."""
    captures = ()
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.stock = cls.enterClassContext(Tshark(stock=True))
        cls.plugin = cls.enterClassContext(Tshark())
        if not cls.captures:
            cls.captures = files_of_all(Path(cls.enterClassContext(tempfile.TemporaryDirectory())))

    def compare(self, options, stock_options, view):
        """Hold view(arguments, output) of the plugin, under options, against stock's."""
        runs = list(product((TEXT, JSON), self.captures))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ours = pool.map(lambda run: output(self.plugin, run[0] + options, run[1]), runs)
            theirs = pool.map(lambda run: output(self.stock, run[0] + stock_options, run[1]),
                              runs)
            for (arguments, capture), our, their in zip(runs, ours, theirs):
                with self.subTest(capture=capture.name, output=arguments[0]):
                    self.assertEqual(view(arguments, our), view(arguments, their))

    def test_plugin_is_there(self):
        """Else all the rest would compare Wireshark with itself."""
        self.assertRegex(self.plugin.run(["-G", "protocols"]).stdout, r"\ttcpstate[\t\n]")
        self.assertNotRegex(self.stock.run(["-G", "protocols"]).stdout, r"\ttcpstate[\t\n]")

    def test_enabled(self):
        self.compare((), (), without_plugin)

    def test_disabled(self):
        """To the last byte."""
        self.compare(NO_STATE, (), lambda arguments, text: text)

    def test_without_tcp(self):
        """To the last byte, too: what has no TCP has no states."""
        self.compare(NO_TCP, NO_TCP, lambda arguments, text: text)


if __name__ == "__main__":
    Disabled.captures = [Path(name) for name in sys.argv[1:]]
    unittest.main(argv=sys.argv[:1])
