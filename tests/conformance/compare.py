#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare what the plugin shows on captures with what the kernels said they were in.

    compare.py CAPTURE STATES [--at client|server|middle]

How is told in judge.py. Exit status 1 if a confirmed state is wrong, or a state of the host that
captured.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import frames  # noqa: E402  (found only now)
import judge  # noqa: E402
import kernel  # noqa: E402
from lab import MIDDLE  # noqa: E402
from tshark import Tshark  # noqa: E402
from wire import HOSTS  # noqa: E402

VANTAGES = (*HOSTS, MIDDLE)


def find_recordings(folder):
    """The recordings of a folder, name to (path of the states, vantage to path of the capture)."""
    found = {}
    for entry in sorted(os.listdir(folder)):
        stem, suffix = os.path.splitext(os.path.join(folder, entry))
        if suffix != ".states":
            continue
        captures = {at: f"{stem}-{at}.pcap" for at in VANTAGES
                    if os.path.exists(f"{stem}-{at}.pcap")}
        if not captures:
            captures = {kernel.read_states(stem + suffix).captured_at: f"{stem}.pcap"}
        found[os.path.basename(stem)] = (stem + suffix, captures)
    return found


def compare(reader, states_path, captures):
    """The Comparisons of captures, vantage to path, with a .states file: vantage to Comparison.
    reader: see frames.py."""
    for vantage in captures:
        if vantage not in VANTAGES:
            raise ValueError(f"{states_path}: captured at {vantage}; say of which the capture is")
    read = {vantage: reader.read(path) for vantage, path in captures.items()}
    if not any(read.values()):
        raise ValueError(f"{states_path}: no segments to compare")
    return judge.compare(kernel.read_states(states_path), read)


def percent(part, whole):
    """As text."""
    return f"{100 * part / whole:.2f} %" if whole else "-"


def _score(claims):
    """(right, right or wrong): what no capture can know is left out."""
    right = sum(c.verdict == judge.RIGHT for c in claims)
    return right, right + sum(c.verdict == judge.WRONG for c in claims)


class Summary:
    """The figures of many Comparisons."""

    def __init__(self):
        self.all = judge.Comparison()

    def add(self, comparison):
        """Take the claims of a Comparison."""
        self.all += comparison

    @property
    def near(self):
        """(right, all) states of the hosts that captured."""
        return _score(self.all.near)

    def __str__(self):
        near = self.all.near
        sure = [c for c in near if c.confirmed]
        lines = []
        for what, claims in (
                ("near end", near),
                ("confirmed, near end", sure),
                ("confirmed, far end, at departure", self.all.departures),
                ("confirmed, far end, in order", self.all.order),
                ("assumed, far end (as if delivered)", self.all.assumed),
                ("final states", self.all.final)):
            right, told = _score(claims)
            lines.append(f"{what:<36}{right:>8} / {told:<8} {percent(right, told)}")
        lines.append(f"{'share confirmed, near end':<36}{len(sure):>8} / {len(near):<8} "
                     f"{percent(len(sure), len(near))}")
        unknown = collections.Counter(c.verdict for c in near)
        final = collections.Counter(c.verdict for c in self.all.final)
        for name in (*judge.UNKNOWABLE, judge.ELSEWHERE):
            if unknown[name] or final[name]:
                lines.append(f"  no capture can know: {name}: {unknown[name]} near, "
                             f"{final[name]} final")
        return "\n".join(lines)


def differences(comparison, everything=False):
    """Lines on what is wrong in a Comparison; everything: the assumed states of a far end too."""
    kinds = [("near", comparison.near), ("far at departure", comparison.departures),
             ("far in order", comparison.order), ("final", comparison.final)]
    if everything:
        kinds.append(("far assumed", comparison.assumed))
    return [f"{kind}: {c}" for kind, claims in kinds for c in claims if c.verdict == judge.WRONG]


def main():
    """Compare one capture, print the counts and what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture")
    parser.add_argument("states")
    parser.add_argument("--at", choices=VANTAGES, help="where it was captured")
    arguments = parser.parse_args()
    at = arguments.at or kernel.read_states(arguments.states).captured_at
    summary = Summary()
    with Tshark() as tshark:
        comparison = compare(frames.Reader(tshark), arguments.states, {at: arguments.capture})[at]
    summary.add(comparison)
    print(summary, *differences(comparison, everything=True), sep="\n")
    near = summary.near
    sys.exit(1 if comparison.wrong_confirmed or near[0] < near[1] else 0)


if __name__ == "__main__":
    main()
