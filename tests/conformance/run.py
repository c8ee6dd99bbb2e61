#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Record the running kernel, and compare what the plugin shows with what it said.

    run.py [--scenarios NAME...|none] [--random N] [--seed S] [--jobs J] [--keep FOLDER]
    run.py --stack NAME [--stack-at client|server] [...]
    run.py --replay

Records all scenarios, and the random schedules of N seeds from S on, J recordings side by side, each
captured at both hosts and in the middle of the wire. --stack: with another TCP stack (stacks/) at
one host, or at either in turn. What it cannot play is counted. --replay compares the bundled recordings
instead. How it is compared is told in judge.py.

A difference names its recording, with a stack as STACK-HOST-NAME. Of a scenario, give that name to --scenarios;
random-SEED comes again by --scenarios none --random 1 --seed SEED.

Exit status 1 if a confirmed state or cause of a RST is wrong, if fewer than 99.5 % of the states of hosts that
captured are right (95 % with a stack; with --replay, if one is wrong) or fewer than 90 % of the assumed causes, or
if a recording failed, or the polls of more than one in ten stalled; 77 if this machine cannot record.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import concurrent.futures
import functools
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import compare  # noqa: E402  (found only now)
import frames  # noqa: E402
import kernel  # noqa: E402
import lab  # noqa: E402
import random_schedules  # noqa: E402
import scenarios  # noqa: E402
import stack  # noqa: E402
import tracing  # noqa: E402
from stacks import STACKS, Unavailable  # noqa: E402
from tshark import Tshark  # noqa: E402
from wire import HOSTS  # noqa: E402

BUNDLED = os.path.join(HERE, "..", "..", "test-captures")
UNABLE = 77            # exit status
NEAR_ENOUGH = 0.995    # share of right states of hosts that captured, in what is recorded now
NEAR_STACK = 0.95      # the same with another stack at one host, whose own ways are shown as assumed (README.md)
CAUSES_RIGHT = 0.9     # share of right ones of the causes of RSTs that are assumed
RECORDING_S = 60       # the longest that a recording may take
POLL_EVERY_S = 0.002   # less often than for a recording alone, as many share the processors
LARGEST_GAP_S = 0.020  # between two polls; the wire's delay is as long. Else it is recorded again.
AT_ONCE = 40           # recordings read by one sharkd
LOST_AT_MOST = 0.1     # share of recordings whose polls stall, and which are not counted
ROUNDS = 3             # of which the later are for what the polls of the earlier could not follow

_fork = multiprocessing.get_context("fork")


def inability():
    """Why this machine cannot record, or nothing."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    for program in "ip", "setpriv", "tcpdump", os.environ.get("TCPSTATE_SHARKD", "sharkd"):
        if not shutil.which(program):
            return f"{program} is not installed"
    for what, attempt in (
            ("network namespaces", lab.try_namespace),
            ("TUN devices", lambda: os.close(os.open("/dev/net/tun", os.O_RDWR))),
            ("real-time priority", kernel.try_priority)):
        try:
            attempt()
        except OSError as error:
            return f"no {what} here: {error}"
    return ""


# Recording

class Unplayed(str):
    """Why a recording was not made that its stack cannot play."""


class Stalled(str):
    """Why a recording is not counted: its polls stalled in every round."""


def _record(work, error_path):
    """In a process of its own: do the work, or write down why it failed."""
    try:
        work()
    except stack.Unable as reason:
        with open(error_path, "w", encoding="utf-8") as file:
            file.write(str(reason))
        sys.exit(UNABLE)
    except Exception:
        with open(error_path, "w", encoding="utf-8") as file:
            file.write(traceback.format_exc(limit=-3))
        sys.exit(1)


def _failure(process, error_path):
    """What went wrong in a process that has ended, or nothing."""
    if process.exitcode == 0:
        return ""
    if os.path.exists(error_path):
        with open(error_path, encoding="utf-8") as file:
            return (Unplayed if process.exitcode == UNABLE else str)(file.read())
    return f"ended with status {process.exitcode}"


def record_all(works, folder, jobs):
    """Do all works, name to function, so many side by side. Gives the failures, name to text."""
    waiting, running, failures = list(works.items())[::-1], {}, {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, work = waiting.pop()
                error_path = os.path.join(folder, f"{name}.error")
                process = _fork.Process(target=_record, args=(work, error_path))
                process.start()
                running[name] = process, error_path, time.monotonic() + RECORDING_S
            multiprocessing.connection.wait([p.sentinel for p, *_ in running.values()], timeout=1)
            for name, (process, error_path, deadline_s) in list(running.items()):
                if process.exitcode is not None:
                    failure = _failure(process, error_path)
                elif time.monotonic() > deadline_s:
                    failure = f"not done after {RECORDING_S} s"
                    process.kill()  # what it has started ends with it
                    process.join()
                else:
                    continue
                del running[name]
                if failure:
                    failures[name] = failure
    finally:
        for process, *_ in running.values():
            process.kill()
            process.join()
    return failures


def largest_gap_s(folder, name):
    """The largest gap between two polls of a recording, in seconds."""
    return kernel.read_states(os.path.join(folder, f"{name}.states")).largest_gap_s


def record(works, folder, jobs):
    """Record all, and again those whose polls stalled. Gives the failures, name to text."""
    failures = {}
    for attempt in range(ROUNDS):
        failures |= record_all(works, folder, max(jobs >> attempt, 1))
        works = {name: work for name, work in works.items()
                 if name not in failures and largest_gap_s(folder, name) > LARGEST_GAP_S}
        if not works:
            break
        print(f"{len(works)} with more than {LARGEST_GAP_S * 1e3:.0f} ms between two polls, in round "
              f"{attempt + 1} of {ROUNDS}: {' '.join(works)}", flush=True)
    return failures | {name: Stalled(f"its largest gap between two polls is "
                                     f"{largest_gap_s(folder, name) * 1e3:.1f} ms") for name in works}


def plan(arguments, folder):
    """What to record: name to function."""
    if not arguments.stack:
        return _plan_pairing(arguments, folder)
    command = STACKS[arguments.stack]()
    works = {}
    for host in (arguments.stack_at,) if arguments.stack_at else HOSTS:
        prefix = f"{arguments.stack}-{host}-"
        pairing = _plan_pairing(arguments, folder, stacks={host: command}, prefix=prefix)
        works |= {prefix + name: work for name, work in pairing.items()}
    return works


def _plan_pairing(arguments, folder, **how):
    """The same, for one choice of stacks."""
    works = {}
    for name in arguments.scenarios:
        scenario = scenarios.SCENARIOS[name]
        if missing := scenario.missing(how.get("stacks")):
            print(f"{name}: not recorded, for this kernel lacks {missing}")
        else:
            works[name] = functools.partial(scenario.record, folder, scenarios.VANTAGES,
                                            POLL_EVERY_S, **how)
    for seed in range(arguments.seed, arguments.seed + arguments.random):
        works[f"random-{seed}"] = functools.partial(random_schedules.record, seed, folder,
                                                    scenarios.VANTAGES, POLL_EVERY_S, **how)
    return works


# Comparing

def _compare_some(recordings):
    """The Comparisons of recordings, as find_recordings() gives them: a list of (name, vantage to
    Comparison). An exception says of which recording it is."""
    with Tshark() as tshark:
        read = frames.Reader(tshark).read_all(
            [path for _, (_, captures) in recordings for path in captures.values()])
    done = []
    for name, (states_path, captures) in recordings:
        try:
            done.append((name, compare.compare(
                states_path, {vantage: read[path] for vantage, path in captures.items()})))
        except Exception as error:
            raise RuntimeError(f"{name} cannot be compared: {error}") from error
    return done


def compare_all(recordings, near_enough):
    """Compare recordings, print what differs and the figures. Gives whether all is well. near_enough:
    the share of states of hosts that captured which must be right."""
    processors = len(os.sched_getaffinity(0))
    waiting = list(recordings.items())
    shares = [waiting[i:i + AT_ONCE] for i in range(0, len(waiting), AT_ONCE)]
    summary = compare.Summary()
    differ = []
    with concurrent.futures.ProcessPoolExecutor(processors, _fork) as pool:
        done = [result for results in pool.map(_compare_some, shares) for result in results]
    for name, comparisons in sorted(done, key=lambda result: result[0]):
        for vantage, comparison in comparisons.items():
            summary.add(comparison)
            lines = compare.differences(comparison)
            differ += lines
            if lines:
                print(f"{name} at {vantage}:", *lines, sep="\n    ")
    wrong = len(summary.all.wrong_confirmed)
    cause_right, cause_told = summary.assumed_causes
    right, told = summary.near
    print(summary, f"{len(done)} recordings compared, {len(differ)} differences, "
                   f"{wrong} wrong confirmed", sep="\n")
    return wrong == 0 and right >= near_enough * told and cause_right >= CAUSES_RIGHT * cause_told


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replay", action="store_true", help="compare the bundled recordings")
    parser.add_argument("--scenarios", nargs="+", metavar="NAME", help="default: all; none for none",
                        default=list(scenarios.SCENARIOS))
    parser.add_argument("--random", type=int, default=50, metavar="N", help="schedules (50)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the first (1)")
    parser.add_argument("--stack", choices=STACKS, help="at one host, instead of this kernel")
    parser.add_argument("--stack-at", choices=HOSTS, help="default: at either in turn")
    parser.add_argument("--jobs", type=int, default=12, metavar="J", help="side by side (12)")
    parser.add_argument("--keep", metavar="FOLDER", help="where the recordings stay")
    arguments = parser.parse_args()
    if arguments.scenarios == ["none"]:
        arguments.scenarios = []
    unknown = [name for name in arguments.scenarios if name not in scenarios.SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if arguments.jobs < 1 or arguments.random < 0:
        parser.error("less than nothing to do")
    if arguments.replay:
        bundled = compare.find_recordings(BUNDLED) | compare.find_recordings(os.path.join(BUNDLED, "stacks"))
        sys.exit(not compare_all(bundled, near_enough=1))
    reason = inability()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(UNABLE)
    with tempfile.TemporaryDirectory(prefix="tcpstate-lab-") as temporary:
        folder = arguments.keep or temporary
        os.makedirs(folder, exist_ok=True)
        tracing.mount()
        try:
            works = plan(arguments, folder)
        except Unavailable as reason:
            print(f"skipped: {reason}")
            sys.exit(UNABLE)
        if not works:
            sys.exit("nothing to record")
        if tracing.inability():
            print(f"causes of RSTs are not compared: {tracing.inability()}")
        print(f"recording {len(works)}, {kernel.running()}, random schedules from seed "
              f"{arguments.seed} on", flush=True)
        failures = record(works, folder, arguments.jobs)
        unplayed = {name: why for name, why in failures.items() if isinstance(why, Unplayed)}
        for name, failure in failures.items():
            print(f"{name} {'not played' if name in unplayed else 'could not be recorded'}: {failure}")
        found = compare.find_recordings(folder)
        good = compare_all({name: found[name] for name in works if name not in failures},
                           NEAR_STACK if arguments.stack else NEAR_ENOUGH)
    stalled = sum(isinstance(why, Stalled) for why in failures.values())
    failed = len(failures) - len(unplayed) - (stalled if stalled <= LOST_AT_MOST * len(works) else 0)
    if unplayed:
        print(f"{len(unplayed)} not played, which {arguments.stack} cannot play")
    if stalled:
        print(f"{stalled} not counted, for their polls stalled")
    if failed:
        print(f"{failed} recordings failed")
    sys.exit(not good or failed > 0)


if __name__ == "__main__":
    main()
