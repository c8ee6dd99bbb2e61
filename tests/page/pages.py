# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of captures, each made once, and one browser for all tests of a program."""

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
CAPTURES = HERE.parent.parent / "test-captures"
sys.path[:0] = [str(HERE.parent), str(CAPTURES)]

import browser as chromium  # noqa: E402
import packets  # noqa: E402
from tshark import Tshark  # noqa: E402

CLOSE = CAPTURES / "client-closes-first.pcap"
LOST = CAPTURES / "lost-last-ack.pcap"
BUSY = CAPTURES / "odd" / "busy-server.pcap"


class Pages(unittest.TestCase):
    """One browser and one tshark for all."""
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.browser = chromium.Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.pages = {}

    def setUp(self):
        self.browser.resize(chromium.WIDE)
        self.browser.media()

    def page(self, capture, filter_="", options=()):
        """The path of a capture's page."""
        key = (capture, filter_, tuple(options))
        if key not in self.pages:
            asked = "tcpstate,page" + (f",{filter_}" if filter_ else "")
            text = self.tshark.run(["-q", *options, "-z", asked], capture).stdout
            path = self.folder / f"page-{len(self.pages)}.html"
            path.write_text(text)
            self.pages[key] = path
        return self.pages[key]

    def made(self, name, frames, step_us=1000):
        """A capture of frames, so many microseconds apart."""
        path = self.folder / f"{name}.pcap"
        path.write_bytes(packets.pcap(packets.ETHERNET, [(step_us * n, frame, None) for n, frame in enumerate(frames)]))
        return path
