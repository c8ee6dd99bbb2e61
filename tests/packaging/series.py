#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build without warnings and run the tests with another series of Wireshark, in its own Debian.

usage: series.py SERIES

It is tests/run that runs there: what it installs is what a user's machine would get.
"""

import re
import sys

import roots

# The release build is tested with warnings as errors; the others are compiled.
STRICT = {"CFLAGS": "-Werror", "TCPSTATE_SERIES_RUN": "1"}
# Which tests another series does not repeat: those of this machine's kernel, timing, counting or screen, those
# that make Debians or take other stacks, and fuzzing, whose findings have tests of their own. None of the others may
# be skipped.
LEFT_OUT = ["--exclude-regex", r"^(conformance\.(in_between|live)|field\.kernel|programs\.live|split\.hosts|fuzz\..*)$",
            "--label-exclude", "^(bench|gui|packaging|page|series|stacks|windows)$"]
TEST_LIMIT_S = 1500


def test():
    series = sys.argv[1]
    root = roots.prepared(series)
    with root.scratch() as folder:
        project = f"{folder}/tcpstate"
        root.copy_project(project)
        said = root.run(["tests/run", *LEFT_OUT], project, STRICT, TEST_LIMIT_S, installs=True)
        root.run(["cmake", "--preset", "dev"], project)
        root.run(["cmake", "--build", "--preset", "dev"], project)
    count = re.search(r"^100% tests passed, 0 tests failed out of (\d+)$", said, re.MULTILINE)
    if not count:
        raise roots.Failure(f"tests/run does not end as it should:\n{said}")
    skipped = re.findall(r"^\s*\d+ - (\S+) \((?:Skipped|Not Run)\)", said, re.MULTILINE)
    if skipped:
        raise roots.Failure(f"skipped, though nothing is missing there: {skipped}\n{said}")
    print(f"Wireshark {series}: {count[1]} tests passed, none skipped")


if __name__ == "__main__":
    roots.main(test)
