#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record what the installed programs do now, and check what the plugin shows of it.

    live.py [--jobs J] [--keep FOLDER] [NAME...]      default: all of recordings.py, as root

How is told in check.py. Exit status 1 if anything is wrong or a recording failed; else 77 if this machine cannot
record, or lacks programs: what they take part in was not recorded then, all else was checked.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "conformance")]

import check  # noqa: E402  (found only now)
import run as conformance  # noqa: E402
from recordings import RECORDINGS  # noqa: E402


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=6, metavar="J", help="recordings side by side (6)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the recordings stay")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - RECORDINGS.keys():
        parser.error(f"no such recording: {', '.join(sorted(unknown))}")
    if reason := conformance.inability():
        print(f"skipped: {reason}")
        sys.exit(conformance.UNABLE)
    chosen = {name: RECORDINGS[name] for name in arguments.names or RECORDINGS}
    left_out = {name: each.missing for name, each in chosen.items() if each.missing}
    with tempfile.TemporaryDirectory(prefix="tcpstate-programs-") as temporary:
        folder = arguments.keep or Path(temporary)
        os.makedirs(folder, exist_ok=True)
        works = {name: each.work(folder) for name, each in chosen.items() if name not in left_out}
        begun_s = time.monotonic()
        failures = conformance.record(works, str(folder), arguments.jobs)
        print(f"{len(works)} recorded in {time.monotonic() - begun_s:.1f} s, Linux {os.uname().release}")
        for name, failure in failures.items():
            print(f"{name} could not be recorded: {failure}")
        good = not failures and (not works or check.check(folder, exact=False))
    if good and left_out:
        programs = sorted({program for missing in left_out.values() for program in missing})
        print(f"skipped: {len(left_out)} of {len(chosen)} recordings, for these are not installed: "
              f"{', '.join(programs)}")
        sys.exit(conformance.UNABLE)
    sys.exit(not good)


if __name__ == "__main__":
    main()
