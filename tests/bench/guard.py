#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No change may make a packet dearer unnoticed: instructions per packet against a recorded ratio.

Counted by callgrind, start-up taken off, on the capture of short connections, as a share of what the
same packet costs without the plugin. Fails when the share is more than MARGIN above the record, and
when it is as much below, so that what was gained is not lost again: write the record anew then.

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

from measure import Captures, per_packet

from tshark import Tshark

RECORD = Path(__file__).resolve().parent / "record.json"
MARGIN = 0.004    # of a packet's cost; counts repeat to within 0.0005, as Wireshark's hash tables are seeded anew
USES = ("plain", "other filter", "own filter")
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


def measured():
    """The plugin's share of a packet's cost, by use: 0.04 means 4 % more than without it."""
    with Captures() as made, ThreadPoolExecutor(2) as pool:
        counts = {use: [pool.submit(per_packet, program, use, "short", made) for program in ("stock", "tcpstate")]
                  for use in USES}
        return {use: round(own.result() / stock.result() - 1, 5) for use, (stock, own) in counts.items()}


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
    shares = measured()
    if given.record:
        RECORD.write_text(json.dumps({"of": here, "share": shares}, indent=2) + "\n")
        return 0
    wrong = 0
    for use, share in shares.items():
        recorded = record["share"][use]
        says = "fails" if abs(share - recorded) > MARGIN else "holds"
        wrong += says == "fails"
        print(f"{says}: {use}: {share:.4f} of a packet's cost, recorded {recorded:.4f}, margin {MARGIN}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
