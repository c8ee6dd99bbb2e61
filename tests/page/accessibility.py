#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The page by the rules of axe-core (WCAG 2.2, levels A and AA): in light and dark, wide and narrow, and in the quiz.

npm fetches axe-core, for this test alone. Where it cannot, or the browser is missing, it is skipped: exit status 77.
"""

import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import browser as chromium  # noqa: E402
from pages import BUSY, LOST, Pages  # noqa: E402

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = ""  # its source, from main()


class Accessibility(Pages):
    """No serious violation, and rules enough that passed."""

    def violations(self):
        """The serious ones of what shows, and how many rules passed."""
        self.browser.js(AXE)
        result = self.browser.driver.execute_async_script(
            "axe.run(document, {runOnly: arguments[0]}).then(arguments[1])", RULES)
        serious = [(one["id"], one["help"], one["nodes"][0]["html"][:200]) for one in result["violations"]
                   if one["impact"] in ("serious", "critical")]
        return serious, len(result["passes"])

    def test_pages(self):
        for capture, fragment in ((BUSY, "#c=2&s=5"), (LOST, "#c=1&s=9")):
            for scheme, width in (("light", chromium.WIDE), ("dark", chromium.WIDE), ("light", chromium.PHONE)):
                for quizzing in (False, True):
                    self.browser.resize(width)
                    self.browser.media(prefers_color_scheme=scheme)
                    self.browser.open(self.page(capture), fragment)
                    if quizzing:
                        self.browser.js("document.querySelector('#quiz button').click()")
                    serious, passed = self.violations()
                    with self.subTest(capture=capture.name, scheme=scheme, width=width, quizzing=quizzing):
                        self.assertEqual([], serious)
                        self.assertGreater(passed, 20)

    def test_axe_finds_what_is_wrong(self):
        self.browser.open(self.page(LOST))
        self.browser.js("document.body.append(document.createElement('img')); "
                        "document.getElementById('about').style.color = '#ccc'")
        self.assertEqual({"image-alt", "color-contrast"}, {name for name, *_ in self.violations()[0]})


if __name__ == "__main__":
    chromium.skip_if_missing()
    with tempfile.TemporaryDirectory() as kept:
        AXE = chromium.axe_source(kept)
        if not AXE:
            sys.exit(chromium.SKIPPED)
        unittest.main()
