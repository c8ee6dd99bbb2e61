#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the plugin show what is right on captures that people report?

    cases.py [CASE.txt ...]      default: all of cases/

A case is written as segments.py says, what is right on each segment beside it. Lists what differs,
line by line. Exit status 1 if anything does.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent)]

import segments  # noqa: E402  (found only now)
from tables import ANOMALIES, CLOSERS  # noqa: E402
from tshark import Tshark  # noqa: E402

# The client is the local end, so that "confirmed", which is told of local and remote, is told of it.
_CLIENT_IS_LOCAL = ["-o", "tcpstate.local_endpoint:client"]
_FIELDS = ("tcpstate.client.str", "tcpstate.server.str", "tcpstate.local.confirmed",
           "tcpstate.remote.confirmed", "tcpstate.closed_by", "tcpstate.local.dwell",
           "tcpstate.remote.dwell", *(f"tcpstate.expert.{item}" for item in ANOMALIES))


def _fits(wanted, state, confirmed):
    """Whether a state is one of those that a text of a case allows."""
    for each in wanted.split("/"):
        name, mark = each.rstrip("?!"), each[-1]
        if each == "*" or (name == state and not (mark == "?" and confirmed)
                           and not (mark == "!" and not confirmed)):
            return True
    return False


def _compare(expected, row):
    """What differs on one frame: texts. row: the values of _FIELDS."""
    states, truths, (closer, *dwells), items = row[:2], row[2:4], row[4:7], row[7:]
    confirmed = [truth in ("1", "True") for truth in truths]
    shown = tuple(state + ("" if sure else "?") for state, sure in zip(states, confirmed) if state)
    wrong = []
    if expected.states == ("none",):
        return [f"shows {' '.join(shown)}"] if shown else []
    for end, wanted, state, sure in zip(("client", "server"), expected.states, states, confirmed):
        if not _fits(wanted, state, sure):
            wrong.append(f"{end} {state or 'nothing'}{'' if sure else '?'}, right: {wanted}")
    present = {item for item, value in zip(ANOMALIES, items) if value}
    for item in sorted(present - expected.items - expected.perhaps):
        wrong.append(f"{item}, which is not right")
    for item in sorted(expected.items - present):
        wrong.append(f"no {item}")
    closed_by = CLOSERS[int(closer)] if closer.isdigit() else closer or "-"
    if expected.closed_by not in ("*", closed_by):
        wrong.append(f"closed by {closed_by}, right: {expected.closed_by}")
    if expected.no_dwell and any(dwells):
        wrong.append(f"a dwell of {', '.join(filter(None, dwells))} s, right: none")
    return wrong


def _compare_table(tshark, capture, table, options):
    """What differs of connections at the end of the capture: of the first, and their number."""
    text = tshark.run(["-q", "-z", "tcpstate,json", *options], capture).stdout
    rows = [json.loads(line) for line in text.splitlines()]
    differ = [] if table.get("rows", str(len(rows))) == str(len(rows)) else [f"{len(rows)} connections"]
    for name in table.keys() - {"rows"}:
        shown = rows[0][name]
        if not _fits(table[name], shown["final"], shown["final_confirmed"]):
            differ.append(f"at the end: {name} {shown['final']}, right: {table[name]}")
    return differ


def judge(tshark, path, folder):
    """What the plugin shows wrong of a case: lines."""
    case = segments.read(path)
    capture = Path(folder) / f"{Path(path).stem}.pcap"
    capture.write_bytes(segments.build(case))
    options = [word for name, value in case.preferences.items()
               for word in ("-o", f"tcpstate.{name}:{value}")] + _CLIENT_IS_LOCAL
    rows = tshark.fields(capture, _FIELDS, options)
    if len(rows) != len(case.expected):
        raise segments.Malformed(f"{path} judges {len(case.expected)} of {len(rows)} frames")
    differ = [f"frame {number} (line {expected.line}): {text}"
              for number, (expected, row) in enumerate(zip(case.expected, rows), 1)
              if expected.is_judged for text in _compare(expected, row)]
    return differ + (_compare_table(tshark, capture, case.table, options) if case.table else [])


def main():
    """Judge the cases that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", type=Path, default=sorted((HERE / "cases").glob("*.txt")))
    failed = 0
    cases = parser.parse_args().cases
    with Tshark() as tshark, tempfile.TemporaryDirectory() as folder:
        for path in cases:
            differ = judge(tshark, path, folder)
            failed += bool(differ)
            if differ:
                print(f"{path.stem}:", *differ, sep="\n    ")
    print(f"{len(cases) - failed} of {len(cases)} cases right")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
