#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the plugin stay right, or silent, on damaged captures? Recordings of kernels, whose states are known.

    degraded.py [--folder FOLDER] [--rounds N] [--only NAME ...] [--kinds KIND ...] [--list]
    degraded.py --random N [--seed S]         records N random schedules, as root, and damages those

Each recording (default: those in test-captures) is damaged in all ways of damage.py. Prints, for each
kind, how many states are right and how many confirmed, and the wrong confirmed ones. What is wrong is
told in truth.py; what the same end's next segments contradict, in hindsight.py. A confirmed cause of a RST must be the
kernel's reason, where that was recorded, else the cause that is shown on the undamaged capture.

Exit status 1 if a confirmed state or cause is wrong, or if fewer than 70 % of the states of the hosts that
captured are confirmed on undamaged recordings; 77 if this machine cannot record.

The environment names the plugin, see tests/tshark.py.
"""

import argparse
import collections
import concurrent.futures
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "conformance")]

import captures  # noqa: E402  (found only now)
import compare  # noqa: E402
import damage  # noqa: E402
import frames  # noqa: E402
import hindsight  # noqa: E402
import kernel  # noqa: E402
import random_schedules  # noqa: E402
import resets  # noqa: E402
import shown  # noqa: E402
import truth  # noqa: E402
from lab import DELAY_S  # noqa: E402
from tshark import Tshark  # noqa: E402
from wire import HOSTS  # noqa: E402

BUNDLED = HERE.parent.parent / "test-captures"
LEAST_CONFIRMED = 0.70   # share of the states of hosts that captured, on undamaged recordings
FRAMES_A_FILE = 60_000
SEED = 1
ROUNDS = 15
RECORDING_LIMIT_S = 3600


class Finding(NamedTuple):
    """What is wrong in one variant."""
    recording: str   # name, and where it was captured
    kind: str
    variant: int
    text: str


class Count:
    """Of one kind of damage."""

    def __init__(self):
        self.variants = self.states = self.right = self.confirmed = self.wrong = self.belied = 0
        self.near = self.near_confirmed = 0
        self.causes = self.causes_wrong = 0  # confirmed ones of RSTs

    def __iadd__(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


class _Recording(NamedTuple):
    """A capture of a recording, and the kernels' word."""
    name: str
    vantage: str
    capture: captures.Capture
    by_index: dict     # frames.Frame of each frame, by its index
    truths: list       # as truth.ends() gives them
    causes: dict       # the causes that are right of each RST, by its index


class _Variant(NamedTuple):
    """One variant in a file."""
    recording: _Recording
    kind: str
    number: int
    kept: list


def _read(reader, name, states_path, paths):
    """The _Recordings of one recording, one for each capture of it."""
    states = kernel.read_states(states_path)
    read = {vantage: reader.read(path) for vantage, path in paths.items()}
    delay_s = DELAY_S
    if name.startswith("random-"):
        delay_s = random_schedules.Schedule(int(name.split("-")[1])).delay_s
    for vantage, connections in read.items():
        if connections:
            own = {host: of for host, of in read.items() if host in HOSTS}
            by_index = {frame.number - 1: frame for found in connections.values() for frame in found}
            yield _Recording(name, vantage, captures.read(paths[vantage]), by_index,
                             truth.ends(connections, own, states, vantage, delay_s),
                             _right_causes(connections, states))


def _right_causes(connections, states):
    """Of each RST of an undamaged capture, by its index, the causes that are right."""
    right = {}
    for ends, found in connections.items():
        right |= {frame.number - 1: {frame.cause} for frame in found if frame.cause}
        for claim in resets.judge_causes(found, states.resets, dict(zip(HOSTS, ends))):
            right[claim.frame - 1] = resets.CAUSES.get(claim.kernel, set())
    return right


def _originals(recording):
    """damage.Original of each frame of a capture."""
    return [damage.Original(record.time_us, recording.by_index[i].sender)
            for i, record in enumerate(recording.capture.records)]


class _Batch:
    """Variants on their way into one file."""

    def __init__(self, link_type):
        self.link_type = link_type
        self.variants = []
        self.frames = 0

    def write(self, path):
        """The file, each variant between addresses of its own."""
        at = captures.ip_offset(self.link_type)
        with open(path, "wb") as file:
            writer = captures.Writer(file, self.link_type)
            for number, variant in enumerate(self.variants, 1):
                records = variant.recording.capture.records
                for each in variant.kept:
                    frame, length = records[each.index].frame, records[each.index].length
                    if each.cut:
                        frame = frame[:captures.fixed_header_octets(frame, at)]
                    writer.add([captures.Record(each.time_us, frame, length)], number)


def _judge_variant(variant, rows):
    """(Count, texts of what is wrong) of a variant. rows: shown.Shown of each of its frames."""
    count = Count()
    count.variants = 1
    findings = []
    for indexes, truths in variant.recording.truths:
        members = set(indexes)
        part = [(each.index, row) for each, row in zip(variant.kept, rows) if each.index in members]
        for host, end in truths.items():
            _judge_end(count, findings, variant.recording, host, end, part)
        _judge_causes(count, findings, variant.recording.causes, part)
        sequence = [_segment(variant.recording, index, row) for index, row in part]
        for text in hindsight.contradictions(sequence):
            count.belied += 1
            findings.append(f"hindsight: {text}")
    return count, findings


def _judge_causes(count, findings, causes, part):
    """Add the causes of RSTs that are confirmed to a Count, and those that are wrong to findings."""
    for index, row in part:
        if row.cause_confirmed:
            count.causes += 1
            if row.cause not in causes[index]:
                count.causes_wrong += 1
                findings.append(f"RST {index + 1}: {row.cause} confirmed, right: {', '.join(sorted(causes[index]))}")


def _segment(recording, index, row):
    """A hindsight.Segment of a frame."""
    frame = recording.by_index[index]
    return hindsight.Segment(index + 1, HOSTS.index(frame.sender), frame.flags, frame.seq,
                             frame.ack, frame.length, frame.time_s, row)


def _judge_end(count, findings, recording, host, end, part):
    """Add what is shown of one end to a Count, and what is wrong to findings."""
    latest, captured, since = -1, set(), set()
    told = set()
    forged = False  # the latest in its name came from no kernel
    for index, row in part:
        own = end.is_senders(index)
        captured.add(index)
        since.add(index)
        forged = end.is_forged(index) if own else forged
        if own and not end.is_forged(index) and (
                latest < 0 or end.moments_s.get(index, 0) >= end.moments_s.get(latest, 0)):
            latest = index
            since = set()
        name, sure = row.states[not own], row.confirmed[not own]
        count.states += 1
        count.right += end.is_right(index, name)
        count.confirmed += sure
        if host == recording.vantage:
            count.near += 1
            count.near_confirmed += sure
        if sure and not forged:
            wrong = end.wrong(index, latest, (captured, since), name)
            if wrong:
                count.wrong += 1
                if (wrong.shown, wrong.latest) not in told:
                    told.add((wrong.shown, wrong.latest))
                    findings.append(str(wrong))


def judge_batch(tshark, batch, path):
    """Let tshark read a batch: (kind to Count, list of Finding)."""
    batch.write(path)
    rows = shown.read(tshark, path)
    counts, findings, at = collections.defaultdict(Count), [], 0
    for variant in batch.variants:
        part = rows[at:at + len(variant.kept)]
        at += len(variant.kept)
        if None in part:
            raise ValueError(f"{variant.recording.name}, {variant.kind}: a frame shows no state")
        count, texts = _judge_variant(variant, part)
        counts[variant.kind] += count
        findings += [Finding(f"{variant.recording.name} at {variant.recording.vantage}", variant.kind,
                             variant.number, text) for text in texts]
    if at != len(rows):
        raise ValueError(f"{path}: {at} frames written, {len(rows)} read")
    return dict(counts), findings


def _judge_some(work):
    """The same of some recordings. work: (recordings, rounds, kinds)."""
    recordings, rounds, kinds = work
    counts, findings = collections.defaultdict(Count), []

    def flush(batch):
        path = os.path.join(folder, f"batch-{flush.count}.pcap")
        flush.count += 1
        some, found = judge_batch(tshark, batch, path)
        os.unlink(path)
        findings.extend(found)
        for kind, count in some.items():
            counts[kind] += count

    flush.count = 0
    with Tshark() as tshark, tempfile.TemporaryDirectory() as folder:
        reader = frames.Reader(tshark)
        batches = {}
        for name, (states_path, paths) in recordings:
            for recording in _read(reader, name, states_path, paths):
                seed = f"{SEED} {name} {recording.vantage}"
                link_type = recording.capture.link_type
                batch = batches.setdefault(link_type, _Batch(link_type))
                for number, (kind, kept) in enumerate(
                        damage.variants(_originals(recording), seed, rounds), 1):
                    if kinds and kind not in kinds:
                        continue
                    batch.variants.append(_Variant(recording, kind, number, kept))
                    batch.frames += len(kept)
                if batch.frames > FRAMES_A_FILE or len(batch.variants) > captures.MOST_VARIANTS // 2:
                    flush(batch)
                    del batches[link_type]
        for batch in batches.values():
            if batch.variants:
                flush(batch)
    return dict(counts), findings


def _percent(part, whole):
    return f"{100 * part / whole:6.2f} %" if whole else "     -  "


def _report(counts, findings, limit):
    """Print the figures and what is wrong."""
    print(f"{'damage':<28}{'variants':>9}{'states':>9}{'right':>10}{'confirmed':>10}{'near':>10}"
          f"{'wrong':>7}{'belied':>8}")
    total = Count()
    for kind, c in counts.items():
        total += c
        print(f"{kind:<28}{c.variants:>9}{c.states:>9}{_percent(c.right, c.states):>10}"
              f"{_percent(c.confirmed, c.states):>10}{_percent(c.near_confirmed, c.near):>10}"
              f"{c.wrong:>7}{c.belied:>8}")
    print(f"{'all':<28}{total.variants:>9}{total.states:>9}{_percent(total.right, total.states):>10}"
          f"{_percent(total.confirmed, total.states):>10}{_percent(total.near_confirmed, total.near):>10}"
          f"{total.wrong:>7}{total.belied:>8}")
    print(f"causes of RSTs, confirmed: {total.causes}, wrong: {total.causes_wrong}")
    by_text = collections.defaultdict(list)
    for finding in findings:
        by_text[finding.recording, finding.text].append(f"{finding.kind} #{finding.variant}")
    for (recording, text), where in sorted(by_text.items(), key=lambda item: -len(item[1]))[:limit]:
        print(f"{recording}: {text}\n    in {len(where)} variants, such as {where[0]}")
    if len(by_text) > limit:
        print(f"and {len(by_text) - limit} more; --show 1000 lists so many")
    return total


def _explain(recordings, name, number, rounds):
    """Print one variant, frame by frame."""
    with Tshark() as tshark, tempfile.TemporaryDirectory() as folder:
        reader = frames.Reader(tshark)
        name, _, at = name.partition("@")
        for recording in _read(reader, name, *recordings[name]):
            if at and recording.vantage != at:
                continue
            seed = f"{SEED} {name} {recording.vantage}"
            kind, kept = list(damage.variants(_originals(recording), seed, rounds))[number - 1]
            batch = _Batch(recording.capture.link_type)
            batch.variants.append(_Variant(recording, kind, number, kept))
            path = os.path.join(folder, "variant.pcap")
            batch.write(path)
            rows = shown.read(tshark, path)
            print(f"{name} at {recording.vantage}, {kind} #{number}")
            for n, (each, row) in enumerate(zip(kept, rows), 1):
                frame = recording.by_index[each.index]
                ends = [f"{host} {state}{'' if sure else '?'}" for host, state, sure in zip(
                    (frame.sender, *(h for h in HOSTS if h != frame.sender)),
                    row.states, row.confirmed)]
                told = [f"{host} {','.join(end.told(each.index))}" for indexes, truths in recording.truths
                        if each.index in indexes for host, end in truths.items()]
                flags = "".join(c for bit, c in ((2, "S"), (1, "F"), (4, "R"), (8, "P"), (16, "A"))
                                if frame.flags & bit)
                print(f"{n:>4} = {each.index + 1:<4} {each.time_us / 1e6 % 1000:10.6f} {frame.sender:<7}"
                      f"{flags:<4}{frame.seq:>11} {frame.ack:>11} {frame.length:>6}  {'  '.join(sorted(ends)):<52}"
                      f"kernel {'  '.join(told)}")
            for text in _judge_variant(batch.variants[0], rows)[1]:
                print("    wrong:", text)


def _record(count, seed, folder):
    """Record random schedules. Gives the exit status."""
    return subprocess.run(
        [sys.executable, str(HERE.parent / "conformance" / "run.py"), "--scenarios", "none", "--random",
         str(count), "--seed", str(seed), "--keep", folder], check=False,
        timeout=RECORDING_LIMIT_S).returncode


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=str(BUNDLED), help="of recordings (test-captures)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N",
                        help=f"variants of each kind that chance decides ({ROUNDS})")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these recordings")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="these kinds of damage")
    parser.add_argument("--show", type=int, default=40, metavar="N", help="wrong states to list (40)")
    parser.add_argument("--explain", nargs=2, metavar=("NAME[@VANTAGE]", "VARIANT"),
                        help="print a variant, frame by frame")
    parser.add_argument("--random", type=int, metavar="N", help="record so many random schedules")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the first of those (1)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="processes (1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tcpstate-field-") as temporary:
        folder = arguments.folder
        if arguments.random:
            folder = temporary
            status = _record(arguments.random, arguments.seed, folder)
            if status == 77:
                sys.exit(status)
        recordings = compare.find_recordings(folder)
        if arguments.only:
            recordings = {name: recordings[name] for name in arguments.only}
        if arguments.explain:
            _explain(recordings, arguments.explain[0], int(arguments.explain[1]), arguments.rounds)
            return
        waiting = list(recordings.items())
        shares = [waiting[i::arguments.jobs] for i in range(arguments.jobs)]
        works = [(share, arguments.rounds, arguments.kinds) for share in shares if share]
        if arguments.jobs == 1:
            done = [_judge_some(works[0])]
        else:
            with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
                done = list(pool.map(_judge_some, works))
    counts, findings = {}, []
    for some, found in done:
        findings += found
        for kind, count in some.items():
            counts.setdefault(kind, Count()).__iadd__(count)
    total = _report(counts, findings, arguments.show)
    whole = counts.get("undamaged", Count())
    few = whole.near_confirmed < LEAST_CONFIRMED * whole.near
    if few:
        print(f"fewer than {100 * LEAST_CONFIRMED:.0f} % confirmed on undamaged recordings")
    sys.exit(bool(total.wrong or total.belied or total.causes_wrong or few))


if __name__ == "__main__":
    main()
