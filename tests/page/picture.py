#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes test-captures/pictures/page.png, which README.md and LESSON.md show: the player of a page at a correction.

    TCPSTATE_PLUGIN=path/to/tcpstate.so tests/page/picture.py [FILE]

Needs what page.py needs, and ImageMagick's convert. Not a test: fonts differ between machines.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import browser as chromium  # noqa: E402
from pages import CAPTURES, LOST  # noqa: E402
from tshark import Tshark  # noqa: E402

WIDTH, HEIGHT = 1240, 930


def main():
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else CAPTURES / "pictures" / "page.png"
    chromium.skip_if_missing()
    with Tshark() as tshark, tempfile.TemporaryDirectory() as folder:
        page, raw = Path(folder) / "page.html", Path(folder) / "raw.png"
        page.write_text(tshark.run(["-q", "-z", "tcpstate,page"], LOST).stdout)
        browser = chromium.Browser()
        try:
            browser.resize(WIDTH, HEIGHT)
            browser.media(prefers_reduced_motion="reduce")
            browser.open(page, "#c=1&s=9")
            browser.js("document.getElementById('player-title').scrollIntoView()")
            browser.picture(raw)
        finally:
            browser.close()
        subprocess.run(["convert", raw, "+dither", "-colors", "256", "-strip", "-define", "png:compression-level=9",
                        f"png8:{target}"], check=True, timeout=60)
    print(f"{target}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
