#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the bundled real captures anew: record.py [NAME...], as root. All without names.

Beside each NAME.pcap stands NAME.states, the states that both kernels were in meanwhile (see
tests/conformance/kernel.py). The table of README.md is written from the same scenarios.
"""

import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "conformance"))

import scenarios  # noqa: E402  (found only now)
import tracing  # noqa: E402

# The others are recorded only to be compared, see tests/conformance/run.py.
BUNDLED = {name: s for name, s in scenarios.SCENARIOS.items() if s.look}

BEGIN, END = "<!-- table of record.py -->", "<!-- end of the table -->"


def table():
    """The README's table of real captures."""
    rows = ["| capture | what it shows | captured at | a display filter to try |",
            "|---|---|---|---|"]
    for name, s in BUNDLED.items():
        link = "Ethernet" if s.ethernet else "cooked"
        look = s.look.replace("|", "\\|")
        rows.append(f"| {name} | {s.meaning} | {s.at}, {link} | `{look}` |")
    return "\n".join(rows)


def write_readme():
    """Put the table between its two marks."""
    path = os.path.join(HERE, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n{table()}\n{END}{tail}")


def main(names):
    """Record the scenarios of these names."""
    unknown = [name for name in names if name not in BUNDLED]
    if unknown:
        sys.exit(f"no such bundled scenario: {', '.join(unknown)}")
    if os.geteuid() != 0:
        sys.exit("only root may make network namespaces")
    tracing.mount()
    for name in names or BUNDLED:
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as fresh:  # what is here stays, should this fail
            BUNDLED[name].record(fresh)
            for suffix in ".pcap", ".states":
                shutil.copyfile(os.path.join(fresh, name + suffix),
                                os.path.join(HERE, name + suffix))
    write_readme()


if __name__ == "__main__":
    main(sys.argv[1:])
