#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin costs, against the same tshark without it: one table. See README.md beside this.

    tests/bench/run.py                     # everything; about an hour
    tests/bench/run.py --kinds short --uses plain "own filter" --yardsticks no --linear 0
"""

import argparse
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from measure import LONG_RUN, SHORT_RUN, USES, Captures, hook_instructions, instructions, run

from captures import CONNECTIONS, KINDS
from tshark import Tshark

PRINTED = ("json", "profile")  # uses that print a whole tree, or colour it: measured of few kinds, for they take long
PRINTED_KINDS = ("short", "exchanges", "long")
PAIRS = 5                  # of runs, one with and one without the plugin in turn
TIMED = 100_000            # packets of a timed run
WEIGHED = 100_000          # connections of a capture by which memory is measured
WEIGHED_KINDS = {"scan": 3 / 2, "short": 10, "exchanges": 22}  # and the packets of each connection


def transitions(tshark, path):
    """How many transitions the plugin shows in a capture."""
    rows = tshark.run(["-r", str(path), "-T", "fields", "-e", "tcpstate.local.event", "-e", "tcpstate.remote.event"])
    return sum(len(cell.split(",")) for row in rows.stdout.splitlines() for cell in row.split("\t") if cell)


class Instructions:
    """Instructions per packet, of each kind and use, with start-up measured once for each use."""

    def __init__(self, made, jobs):
        self._made = made
        self._pool = ThreadPoolExecutor(jobs)
        self._runs = {}

    def ask(self, program, use, kind, packets):
        key = (program, use, kind, packets)
        if key not in self._runs:
            profile = self._profile(use, kind) if program == "tcpstate" and packets == LONG_RUN else "/dev/null"
            self._runs[key] = self._pool.submit(instructions, program, use, kind, packets, self._made, profile)
        return self._runs[key]

    def _profile(self, use, kind):
        return self._made.scratch(f"{kind}-{use}")

    def hook_per_packet(self, use, kind):
        self.ask("tcpstate", use, kind, LONG_RUN).result()
        return hook_instructions(self._profile(use, kind)) / LONG_RUN

    def prepare(self, program, use, kind):
        for what, packets in (("short", SHORT_RUN), ("short", LONG_RUN), (kind, LONG_RUN)):
            self.ask(program, use, what, packets)

    def per_packet(self, program, use, kind):
        few, many = (self.ask(program, use, "short", packets).result() for packets in (SHORT_RUN, LONG_RUN))
        each = (many - few) / (LONG_RUN - SHORT_RUN)
        if kind == "short":
            return each
        return (self.ask(program, use, kind, LONG_RUN).result() - (few - each * SHORT_RUN)) / LONG_RUN


def print_instructions(made, kinds, uses, yardsticks, jobs):
    counted = Instructions(made, jobs)
    others = ("transum", "lua") if yardsticks else ()
    rows = [(kind, use) for kind in kinds for use in uses if use not in PRINTED or kind in PRINTED_KINDS]
    compared = {(kind, use): ("tcpstate", *(other for other in others if kind == "short" and getattr(USES[use], other)
                                            is not None)) for kind, use in rows}
    for row in rows:
        for program in ("stock", *compared[row]):
            counted.prepare(program, row[1], row[0])
    print(f"{'capture':12} {'use':20} {'stock':>9} {'tcpstate':>9} {'ratio':>7} {'hook':>7} {'of stock':>8}"
          + "".join(f" {name:>8}" for name in others))
    for kind, use in rows:
        stock, own, *rest = (counted.per_packet(program, use, kind) for program in ("stock", *compared[kind, use]))
        hook = counted.hook_per_packet(use, kind)
        print(f"{kind:12} {USES[use].what:20} {stock:9.0f} {own:9.0f} {own / stock:7.3f} {hook:7.0f} "
              f"{hook / stock:8.4f}"
              + "".join(f" {other / stock:8.3f}" for other in rest), flush=True)


def print_time(made, kinds):
    print(f"\n{'capture':12} {'packets':>9} {'wall, with / without: median of pairs':>38} {'processor':>10}")
    for kind in kinds:
        path = made.path(kind, TIMED)
        pairs = [[run(program, "plain", path) for program in ("stock", "tcpstate")] for _ in range(PAIRS)]
        wall = statistics.median(own.wall_s / stock.wall_s for stock, own in pairs)
        processor = statistics.median(own.cpu_s / stock.cpu_s for stock, own in pairs)
        print(f"{kind:12} {TIMED:9} {wall:38.3f} {processor:10.3f}", flush=True)


def print_memory(made):
    """Two captures that differ in transitions per connection tell what each takes."""
    print(f"\n{'capture':12} {'connections':>11} {'transitions':>11} {'peak, stock':>12} {'peak, with':>12} "
          f"{'bytes per connection, all in':>29}")
    found = {}
    with Tshark() as tshark:
        for kind, per_connection in WEIGHED_KINDS.items():
            few, many = int(WEIGHED // 10 * per_connection), int(WEIGHED * per_connection)
            made_of = CONNECTIONS[kind](many) - CONNECTIONS[kind](few)
            each = transitions(tshark, made.path(kind, 3000)) / CONNECTIONS[kind](3000)
            peak = {program: [run(program, "plain", made.path(kind, packets)).peak_bytes for packets in (few, many)]
                    for program in ("stock", "tcpstate")}
            more = {program: long - short for program, (short, long) in peak.items()}
            found[kind] = (more["tcpstate"] - more["stock"]) / made_of, each
            print(f"{kind:12} {CONNECTIONS[kind](many):11} {each:11.1f} {peak['stock'][1] >> 20:8} MiB "
                  f"{peak['tcpstate'][1] >> 20:8} MiB {found[kind][0]:29.0f}", flush=True)
    (fewer, low), (more, high) = found["scan"], found["short"]
    per_transition = (more - fewer) / (high - low)
    print(f"so per transition {per_transition:.0f}, per connection besides {fewer - low * per_transition:.0f} bytes")


def print_linear(made, packets):
    """The same per packet, a hundred times the packets."""
    print(f"\n{'packets':>10} {'connections':>11} {'processor time per packet, stock':>33} {'with':>8} {'ratio':>7}")
    for count in (packets // 100, packets // 10, packets):
        path = made.path("short", count)
        stock, own = (run(program, "plain", path).cpu_s / count * 1e6 for program in ("stock", "tcpstate"))
        print(f"{count:10} {CONNECTIONS['short'](count):11} {stock:30.2f} us {own:5.2f} us {own / stock:7.3f}",
              flush=True)
        if count > packets // 100:
            path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--uses", nargs="+", choices=USES, default=list(USES))
    parser.add_argument("--yardsticks", choices=("yes", "no"), default="yes", help="TRANSUM and Lua beside it")
    parser.add_argument("--jobs", type=int, default=2, help="runs of callgrind at a time")
    parser.add_argument("--linear", type=int, default=10_000_000, metavar="PACKETS",
                        help="length of the longest capture, 0: none")
    given = parser.parse_args()

    with Tshark(stock=True) as tshark:
        print(tshark.run(["--version"]).stdout.splitlines()[0])
    print(subprocess.run(["valgrind", "--version"], text=True, capture_output=True, check=True).stdout)
    print("Instructions per packet; ratios to stock tshark:")
    with Captures() as made:
        print_instructions(made, given.kinds, given.uses, given.yardsticks == "yes", given.jobs)
        print_time(made, given.kinds)
        print_memory(made)
        if given.linear:
            print_linear(made, given.linear)


if __name__ == "__main__":
    sys.exit(main())
