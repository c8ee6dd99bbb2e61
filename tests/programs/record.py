#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the bundled captures of real programs anew: record.py [NAME...], as root. All without names.

Each NAME of recordings.py becomes test-captures/programs/NAME-client.pcap and NAME-server.pcap, as captured at either
host, and NAME.states, the states that both kernels were in meanwhile. The table of the README beside them is written
from the same recordings.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "conformance")]

import run as conformance  # noqa: E402  (found only now)
from recordings import RECORDINGS  # noqa: E402

BUNDLED = HERE.parent.parent / "test-captures" / "programs"
BEGIN, END = "<!-- table of record.py -->", "<!-- end of the table -->"
AT_ONCE = 2   # recordings side by side


def write_readme():
    """Put the table between its two marks."""
    rows = ["| recording | what passes | expert items above chat |", "|---|---|---|"]
    rows += [f"| {name} | {each.meaning} | {', '.join(f'`{word}`' for word in each.accuses)} |"
             for name, each in RECORDINGS.items() if each.bundled]
    path = BUNDLED / "README.md"
    head, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text("\n".join([head + BEGIN, *rows, END]) + rest.split(END)[1], encoding="utf-8")


def main(names):
    """Record those of these names."""
    bundled = {name: each for name, each in RECORDINGS.items() if each.bundled and name in (names or RECORDINGS)}
    if unknown := set(names) - bundled.keys():
        sys.exit(f"no such bundled recording: {', '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        sys.exit("only root may make network namespaces")
    if missing := {program for each in bundled.values() for program in each.missing}:
        sys.exit(f"not installed: {', '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory() as fresh:  # what is bundled stays, should this fail
        works = {name: each.work(fresh) for name, each in bundled.items()}
        if failures := conformance.record(works, fresh, AT_ONCE):
            sys.exit("\n".join(f"{name}: {failure}" for name, failure in failures.items()))
        for path in Path(fresh).iterdir():
            if path.suffix in (".pcap", ".states"):
                shutil.copyfile(path, BUNDLED / path.name)
    write_readme()


if __name__ == "__main__":
    main(sys.argv[1:])
