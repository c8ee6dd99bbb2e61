#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ordinary closes of other TCP stacks, as bundled, raise no expert item above chat; an abort is told as one.
Their states are compared by run.py --replay.

The environment names the plugin, see tests/tshark.py.
"""

import collections
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(TESTS, "programs"), os.path.join(TESTS, "field"), os.path.join(HERE, ".."), TESTS]

import check  # noqa: E402  (found only now)
import compare  # noqa: E402

BUNDLED = os.path.join(TESTS, "..", "test-captures", "stacks")


def main():
    """Look at all recordings."""
    paths = [path for _, captures in compare.find_recordings(BUNDLED).values() for path in captures.values()]
    with tempfile.TemporaryDirectory() as temporary:
        rows, differ = check.shown(paths, os.path.join(temporary, "stacks.pcap"))
    wrong, closers = differ, collections.Counter()
    for path in paths:
        closers.update(check.endings(rows[path]))
        shows, right = check.items(rows[path]), {"abort"} if "-client-aborts-" in path else set()
        if shows != right:
            wrong += 1
            print(f"{os.path.basename(path)}: {sorted(shows)}, right: {sorted(right)}")
    print(f"{len(paths)} captures, closed by: {', '.join(f'{by} {count}' for by, count in closers.most_common())}")
    print(f"{wrong} wrong; two passes differ from one on {differ} frames")
    sys.exit(not paths or wrong > 0)


if __name__ == "__main__":
    main()
