#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No change may make a packet dearer unnoticed: the hook's instructions per packet against a record.

Counted by callgrind on short connections, on longer ones and on long transfers, plain and with a filter on a field of
the plugin. Held against the record with a margin of MARGIN of what the same packet costs without the plugin. Fails
above it; and as far below, so that what was gained is not lost again: write the record anew then.

    tests/bench/guard.py             # exit status 77 where nothing can be compared, and why
    tests/bench/guard.py --record    # writes the record

TCPSTATE_BUILD_TYPE says how the plugin was built, as CMake calls it.
"""

import argparse
import json
import os
import platform
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import Captures, hook_per_packet, per_packet

from tshark import Tshark

RECORD = Path(__file__).resolve().parent / "record.json"
MARGIN = 0.0025   # of a packet's cost without the plugin: a slow-down of 0.3 % fails
GUARDED = [(use, kind) for use in ("plain", "own filter") for kind in ("short", "exchanges", "long")]
PACKETS = 1000    # of each: the same instructions for a kind's thousandth packet as for its millionth
SKIPPED = 77


def tshark_version():
    """The exact version of tshark, with that of its package."""
    with Tshark(stock=True) as tshark:
        return tshark.run(["--version"]).stdout.splitlines()[0]


def compiler():
    """What compiled the plugin, as the compiler itself signs it."""
    signed = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+",
                       Path(os.environ["TCPSTATE_PLUGIN"]).read_bytes())
    return signed[0].decode() if signed else "unknown"


def measured(made, count):
    """What count says of each use and kind of capture, by "use, kind"."""
    with ThreadPoolExecutor(2) as pool:
        counts = pool.map(lambda row: round(count(*row)), GUARDED)
        return {", ".join(row): found for row, found in zip(GUARDED, counts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()

    if not shutil.which("valgrind"):
        print("skipped: no valgrind here, which counts the instructions")
        return SKIPPED
    here = {"tshark": tshark_version(), "compiler": compiler(), "machine": platform.machine(),
            "build": os.environ.get("TCPSTATE_BUILD_TYPE", "unknown")}
    if not given.record:
        record = json.loads(RECORD.read_text())
        for what, recorded in record["of"].items():
            if here[what] != recorded:
                print(f"skipped: the record is of {what} {recorded}, here is {here[what]}")
                return SKIPPED
    with Captures() as made:
        counts = measured(made, lambda use, kind: hook_per_packet(use, kind, made, PACKETS))
        if given.record:
            stock = measured(made, lambda use, kind: per_packet("stock", use, kind, made))
            RECORD.write_text(json.dumps({"of": here, "stock": stock, "hook": counts}, indent=2) + "\n")
            return 0
    wrong = 0
    for row, count in counts.items():
        recorded, stock = record["hook"][row], record["stock"][row]
        fails = abs(count - recorded) > MARGIN * stock
        wrong += fails
        print(f"{'fails' if fails else 'holds'}: {row}: {count} instructions a packet, recorded {recorded}, "
              f"margin {MARGIN * stock:.0f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
