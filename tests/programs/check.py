#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin shows on recordings of real programs: nothing alarming on ordinary traffic, and nothing false.

    check.py [FOLDER]      default: test-captures/programs

Of each recording (recordings.py), at either host:

  - both hosts' captures tell the same of who closed;
  - of the plugin's expert items above chat only those that the recording names, none on ordinary traffic;
  - two passes show the same as one;
  - each state of the near end is its kernel's, each confirmed one of the far end was (../conformance/judge.py);
  - no confirmed state is contradicted by what the same end sends next (../field/hindsight.py).

Prints how many connections there were, and how each ended. Exit status 1 if anything is wrong.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(TESTS / "conformance"), str(TESTS / "field"), str(TESTS), str(HERE)]

import captures  # noqa: E402  (found only now)
import compare  # noqa: E402
import run as conformance  # noqa: E402
from recordings import RECORDINGS, VANTAGES  # noqa: E402
from tables import ANOMALIES, CLOSERS  # noqa: E402
from tshark import Tshark  # noqa: E402

BUNDLED = TESTS.parent / "test-captures" / "programs"
HARMLESS = "CHAT"
_STATES = ("tcpstate.local", "tcpstate.remote", "tcpstate.local.confirmed", "tcpstate.remote.confirmed",
           "tcpstate.local.event", "tcpstate.remote.event", "tcpstate.local.since", "tcpstate.remote.since",
           "tcpstate.transition", "tcpstate.midstream")
_FIELDS = ("tcp.srcport", "tcp.dstport", "tcpstate.closed_by", *_STATES,
           *(f"tcpstate.expert.{word}" for word in ANOMALIES))


def combine(paths, out):
    """Write captures of Ethernet into one file, each with addresses of its own. Gives the path of each frame's."""
    sources = []
    with open(out, "wb") as file:
        writer = None
        for number, path in enumerate(paths, 1):
            link_type, records = captures.read(path)
            writer = writer or captures.Writer(file, link_type)
            writer.add(records, number)
            sources += [path] * len(records)
    return sources


def shown(paths, combined):
    """For each capture the rows of _FIELDS; and how many of all rows two passes show otherwise. combined: a new file,
    which holds all captures then."""
    sources = combine(paths, combined)
    with Tshark() as tshark:
        rows, again = (tshark.fields(combined, _FIELDS, arguments) for arguments in ([], ["-2"]))
    if len(rows) != len(sources):
        raise ValueError(f"{len(rows)} rows of {len(sources)} frames")
    of_path = collections.defaultdict(list)
    for path, row in zip(sources, rows):
        of_path[path].append(row)
    return of_path, sum(one != two for one, two in zip(rows, again)) + abs(len(rows) - len(again))


def endings(rows):
    """How the connections of a capture ended, in order: texts by their two ports."""
    closers = {}
    for source, destination, closer, *_ in rows:
        pair = tuple(sorted((source, destination)))
        closers[pair] = (closer and CLOSERS[int(closer)]) or closers.get(pair) or "open"
    return closers


def items(rows):
    """The words of the expert items above chat in a capture."""
    return {word for row in rows for word, value in zip(ANOMALIES, row[-len(ANOMALIES):])
            if value and ANOMALIES[word].severity != HARMLESS}


def check(folder, exact):
    """Look at the recordings of a folder; gives whether all is well. exact: where a recording names items, one of them
    must be there; else none need be, for that hangs on what the programs do first."""
    found = compare.find_recordings(folder)
    if strangers := found.keys() - RECORDINGS.keys():
        raise ValueError(f"no recordings of recordings.py: {', '.join(sorted(strangers))}")
    with tempfile.TemporaryDirectory() as temporary:
        combined = Path(temporary) / "programs.pcap"
        of_path, differ = shown([path for _, paths in found.values() for path in paths.values()], combined)
        # One start for all; run by hand, it names the capture.
        hindsight = subprocess.run([sys.executable, TESTS / "field" / "hindsight.py", combined], check=False)
    wrong, count, total = differ, 0, collections.Counter()
    for name, (_, paths) in found.items():
        right = set(RECORDINGS[name].accuses)
        must = exact and bool(right) and RECORDINGS[name].surely
        if set(paths) != set(VANTAGES):
            wrong += 1
            print(f"{name}: WRONG: captured at {', '.join(paths) or 'no host'}")
        # An abort may cross the FIN of the other host: which was first depends on the place of capture.
        if "abort" not in right and len({tuple(sorted(endings(of_path[path]).items())) for path in paths.values()}) > 1:
            wrong += 1
            print(f"{name}: WRONG: its hosts' captures differ in who closed")
        for at, path in paths.items():
            ends, shows = list(endings(of_path[path]).values()), items(of_path[path])
            count += len(ends)
            total.update(ends)
            bad = not shows <= right or must and not shows
            wrong += bad
            said = ", ".join(sorted(shows)) or "nothing above chat"
            print(f"{name} at {at}: {len(ends)} closed by {', '.join(ends)}: {said}"
                  + (f"; WRONG, right: {', '.join(sorted(right)) or 'nothing'}" if bad else ""))
    print(f"{len(found)} recordings, {len(of_path)} captures, {count} connections, closed by: "
          + ", ".join(f"{closer} {number}" for closer, number in total.most_common()))
    print(f"two passes differ from one on {differ} frames")
    true = conformance.compare_all(found, near_enough=1)
    return bool(found) and not wrong and true and hindsight.returncode == 0


def main():
    """Look at the recordings in a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=BUNDLED)
    folder = parser.parse_args().folder
    absent = [name for name, recording in RECORDINGS.items()
              if folder == BUNDLED and recording.bundled and not (BUNDLED / f"{name}.states").exists()]
    if absent:
        print(f"WRONG: not bundled: {', '.join(absent)}")
    sys.exit(not check(folder, exact=True) or bool(absent))


if __name__ == "__main__":
    main()
