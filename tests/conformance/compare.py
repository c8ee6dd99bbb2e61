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
import dataclasses
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import frames  # noqa: E402  (found only now)
import judge  # noqa: E402
import kernel  # noqa: E402
import moments  # noqa: E402
import resets  # noqa: E402
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


@dataclasses.dataclass
class Comparison:
    """All claims about one or more captures."""
    near: list = dataclasses.field(default_factory=list)
    departures: list = dataclasses.field(default_factory=list)
    order: list = dataclasses.field(default_factory=list)
    assumed: list = dataclasses.field(default_factory=list)
    final: list = dataclasses.field(default_factory=list)
    since: list = dataclasses.field(default_factory=list)   # of moments.Moment, as events
    events: list = dataclasses.field(default_factory=list)
    causes: list = dataclasses.field(default_factory=list)  # of resets.CauseClaim

    def __iadd__(self, other):
        for field in dataclasses.fields(self):
            getattr(self, field.name).extend(getattr(other, field.name))
        return self

    @property
    def wrong_confirmed(self):
        """The claims that must not be."""
        return [c for c in self.near + self.departures + self.order + self.causes
                if c.confirmed and c.verdict == judge.WRONG]


def _compare_host(result, view, at_host):
    """Add the claims of one View to a Comparison. at_host: whether that host captured."""
    result.final.append(judge.judge_final(view))
    if at_host:
        near = judge.judge_near(view)
        result.near += near
        result.since += moments.judge_since(view, near)
        result.events += moments.judge_events(view, near)
    else:
        result.departures += judge.judge_departures(view)
        order, assumed = judge.judge_order(view)
        result.order += order
        result.assumed += assumed


def compare(states_path, read):
    """The Comparisons of captures with a .states file: vantage to Comparison. read: vantage to the
    connections of the capture, as frames.Reader gives them."""
    for vantage in read:
        if vantage not in VANTAGES:
            raise ValueError(f"{states_path}: captured at {vantage}; say of which the capture is")
    if not any(read.values()):
        raise ValueError(f"{states_path}: no segments to compare")
    states = kernel.read_states(states_path)
    results = {}
    for vantage, connections in read.items():
        result = results[vantage] = Comparison()
        for ends, captured in connections.items():
            result.causes += resets.judge_causes(captured, states.resets, dict(zip(HOSTS, ends)))
            for host, local, remote in zip(HOSTS, ends, reversed(ends)):
                timeline = judge.Timeline(states.changes, host, local, remote)
                view = judge.View(host, captured, timeline, states.largest_gap_s,
                                  read.get(host, {}).get(ends, []))
                _compare_host(result, view, host == vantage)
    return results


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
        self.all = Comparison()

    def add(self, comparison):
        """Take the claims of a Comparison."""
        self.all += comparison

    @property
    def near(self):
        """(right, all) states of the hosts that captured."""
        return _score(self.all.near)

    @property
    def assumed_causes(self):
        """(right, all) causes of RSTs that are assumed."""
        return _score([c for c in self.all.causes if not c.confirmed])

    @property
    def confirmed_causes(self):
        """The same of those that are confirmed."""
        return _score([c for c in self.all.causes if c.confirmed])

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
                ("final states", self.all.final),
                ("since when, near end", self.all.since),
                ("event of each transition, near end", self.all.events)):
            right, told = _score(claims)
            lines.append(f"{what:<36}{right:>8} / {told:<8} {percent(right, told)}")
        for what, (right, told) in ("assumed", self.assumed_causes), ("confirmed", self.confirmed_causes):
            lines.append(f"{f'causes of RSTs, {what}':<36}{right:>8} / {told:<8} {percent(right, told)}")
        lines.append(f"{'share confirmed, near end':<36}{len(sure):>8} / {len(near):<8} "
                     f"{percent(len(sure), len(near))}")
        unknown = collections.Counter(c.verdict for c in near)
        final = collections.Counter(c.verdict for c in self.all.final)
        for name in (*judge.UNKNOWABLE, judge.ELSEWHERE, judge.CROSSED):
            if unknown[name] or final[name]:
                lines.append(f"  no capture can know: {name}: {unknown[name]} near, "
                             f"{final[name]} final")
        return "\n".join(lines)


def differences(comparison, everything=False):
    """Lines on what is wrong in a Comparison; everything: the assumed states of a far end too."""
    kinds = [("near", comparison.near), ("far at departure", comparison.departures),
             ("far in order", comparison.order), ("final", comparison.final),
             ("since", comparison.since), ("event", comparison.events), ("cause", comparison.causes)]
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
        read = frames.Reader(tshark).read(arguments.capture)
    comparison = compare(arguments.states, {at: read})[at]
    summary.add(comparison)
    print(summary, *differences(comparison, everything=True), sep="\n")
    near = summary.near
    sys.exit(1 if comparison.wrong_confirmed or near[0] < near[1] else 0)


if __name__ == "__main__":
    main()
