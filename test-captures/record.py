#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the bundled real captures anew, as root. All without names.

    record.py [NAME...]
    record.py --stack STACK     those with another TCP stack at one host, in stacks/

Beside each NAME.pcap stands NAME.states, the states that both kernels were in meanwhile (see
tests/conformance/kernel.py). The table of README.md is written from the same scenarios.
"""

import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "conformance"))

import kernel  # noqa: E402  (found only now)
import scenarios  # noqa: E402
import tracing  # noqa: E402
from stacks import STACKS  # noqa: E402
from wire import HOSTS  # noqa: E402

# The others are recorded only to be compared, see tests/conformance/run.py.
BUNDLED = {name: s for name, s in scenarios.SCENARIOS.items() if s.look}

# With another stack at a host: ordinary closes by either, both at once, half-closed, and an abort.
WITH_STACK = [("client", name) for name in (
    "client-closes-first", "server-closes-first", "simultaneous-close", "shutdown-write-by-client", "client-aborts")]
WITH_STACK.append(("server", "client-closes-first"))

TRIES = 20
LARGEST_GAP_S = 0.008  # between two looks at the states

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


def record(scenario, name, folder, **how):
    """Record a scenario into a folder, again where this machine was too busy to follow the states."""
    print(name, flush=True)
    with tempfile.TemporaryDirectory() as fresh:  # what is there stays, should this fail
        for _ in range(TRIES):
            scenario.record(fresh, **how)
            gap_s = kernel.read_states(os.path.join(fresh, f"{name}.states")).largest_gap_s
            if gap_s <= LARGEST_GAP_S:
                break
        else:
            sys.exit(f"{name}: gaps of {gap_s * 1e3:.1f} ms between looks at the states; try when the machine is idle")
        for file in os.listdir(fresh):
            shutil.copyfile(os.path.join(fresh, file), os.path.join(folder, file))


def record_with(stack):
    """Record what is bundled of a stack, captured at both hosts."""
    command = STACKS[stack]()
    folder = os.path.join(HERE, "stacks")
    os.makedirs(folder, exist_ok=True)
    for host, name in WITH_STACK:
        prefix = f"{stack}-{host}-"
        record(scenarios.SCENARIOS[name], prefix + name, folder, vantages=HOSTS, stacks={host: command}, prefix=prefix)


def main(names):
    """Record the scenarios of these names."""
    if names[:1] == ["--stack"]:
        tracing.mount()
        record_with(names[1])
        return
    unknown = [name for name in names if name not in BUNDLED]
    if unknown:
        sys.exit(f"no such bundled scenario: {', '.join(unknown)}")
    if os.geteuid() != 0:
        sys.exit("only root may make network namespaces")
    tracing.mount()
    for name in names or BUNDLED:
        record(BUNDLED[name], name, HERE)
    write_readme()


if __name__ == "__main__":
    main(sys.argv[1:])
