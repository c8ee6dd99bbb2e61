"""Mutates the machine, and tells which changes the unit tests do not notice. See README.md.

usage: run.py [--sample N] [--seed S] [--file NAME] [--survivors] [--segments N] [--jobs N] [--build DIR] [--fresh]
              [--quiet]

SPDX-License-Identifier: GPL-2.0-or-later
"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading

import mutants

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent
PROJECT = TESTS.parent
MACHINE = PROJECT / "plugin" / "machine"
LADDERS = sorted([*(TESTS / "unit" / "ladders").glob("*.ladder"),
                  *(PROJECT / "test-captures").glob("figures/*.ladder"),
                  *(PROJECT / "test-captures").glob("odd/*.ladder")])
UNIT_TESTS = ("ladder", "header_test", "log_test")
CFLAGS = ["-std=c11", "-O0", "-fPIC", "-Werror=return-type", "-Werror=implicit-function-declaration"]
TEST_LIMIT_S, COMPARE_LIMIT_S = 10, 120 # of processor time: some mutants never end


def run(command, limit_s=None, **how):
    limited = ["prlimit", f"--cpu={limit_s}"] if limit_s else []
    return subprocess.run([*limited, *(str(part) for part in command)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **how)


def run_or_end(command):
    done = run(command)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")


def sources():
    return sorted(MACHINE.glob("*.c"))


def mutable():
    """All files of the machine that hold code."""
    return sources() + [path for path in sorted(MACHINE.glob("*.h")) if "static inline" in path.read_text(encoding="utf-8")]


def sources_of_test(test):
    return sorted((TESTS / "unit").glob(f"{test}*.c"))


@functools.cache
def headers_of(path):
    """The names of the machine's headers that the file includes, with those that they include."""
    included = {MACHINE / name for name in re.findall(r'^#include "(\w+\.h)"', path.read_text(encoding="utf-8"), re.M)}
    included = {header for header in included if header.exists()}
    return {header.name for header in included}.union(*(headers_of(header) for header in included))


class Workshop:
    """A folder in which builds of the machine are made and tried."""

    def __init__(self, build):
        self.build = build
        self.local = threading.local()
        self.count = 0
        self.lock = threading.Lock()
        (build / "objects").mkdir(parents=True, exist_ok=True)

    def prepare(self):
        """The original, the unit tests, which take the machine from a shared library, and the comparison."""
        objects = []
        for path in sources():
            objects.append(self.build / "objects" / f"{path.stem}.o")
            run_or_end(["gcc", *CFLAGS, "-c", path, "-o", objects[-1]])
        (self.build / "original").mkdir(exist_ok=True)
        run_or_end(["gcc", "-shared", "-Wl,-Bsymbolic", *objects, "-o", self.build / "original" / "libmachine.so"])
        for test in UNIT_TESTS:
            self.compile_test(test, MACHINE, self.build / "original")
        fuzz = ["-std=c11", "-O1", "-w", f"-I{MACHINE}", f"-I{TESTS / 'fuzz'}", f"-I{TESTS}"]
        two_ends = self.build / "two_ends.o"
        run_or_end(["gcc", *fuzz, "-Dtcpfsm_segment=record_segment", "-c", TESTS / "fuzz" / "two_ends.c", "-o", two_ends])
        run_or_end(["gcc", *fuzz, HERE / "compare.c", two_ends, TESTS / "fuzz" / "stream.c", TESTS / "fuzz" / "endpoint.c",
                    "-ldl", "-o", self.build / "compare"])
        if not self.passes(self.build / "original", self.build / "original"):
            sys.exit("the unit tests fail without any mutant")
        original = self.build / "original" / "libmachine.so"
        run_or_end([self.build / "compare", original, original, 1000, 1]) # if that fails, all would seem to differ

    @staticmethod
    def compile_test(test, machine, folder):
        run_or_end(["gcc", *CFLAGS, f"-I{machine}", f"-I{TESTS}", *sources_of_test(test), f"-L{folder}", "-lmachine",
                    "-o", folder / test])

    def passes(self, tests, library):
        """Whether all unit tests in the folder pass with the machine of the other."""
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
        for test in UNIT_TESTS:
            command = [tests / test, *(LADDERS if test == "ladder" else [])]
            if run(command, limit_s=TEST_LIMIT_S, env=environment).returncode != 0:
                return False
        return True

    def own_folder(self):
        """Of the thread that asks."""
        if not hasattr(self.local, "folder"):
            with self.lock:
                self.count += 1
                self.local.folder = self.build / f"worker{self.count}"
            self.local.folder.mkdir(exist_ok=True)
        return self.local.folder

    def make(self, path, text):
        """Builds the machine with that text for one of its files. Returns where the tests for it are, or None."""
        folder = self.own_folder()
        library = folder / "libmachine.so"
        if path.suffix == ".c":
            changed = folder / "mutant.c"
            changed.write_text(text, encoding="utf-8")
            objects = [self.build / "objects" / f"{other.stem}.o" for other in sources() if other != path]
            done = run(["gcc", *CFLAGS, f"-I{MACHINE}", "-shared", "-Wl,-Bsymbolic", changed, *objects, "-o", library])
            return self.build / "original" if done.returncode == 0 else None
        include = folder / "machine"
        include.mkdir(exist_ok=True)
        for other in MACHINE.iterdir():
            (include / other.name).write_text(text if other == path else other.read_text(encoding="utf-8"), encoding="utf-8")
        parts = [include / other.name if path.name in headers_of(other) else self.build / "objects" / f"{other.stem}.o"
                 for other in sources()]
        done = run(["gcc", *CFLAGS, "-shared", "-Wl,-Bsymbolic", *parts, "-o", library])
        if done.returncode != 0:
            return None
        for test in UNIT_TESTS:
            if not any(path.name in headers_of(source) for source in sources_of_test(test)):
                shutil.copy(self.build / "original" / test, folder)
                continue
            try:
                self.compile_test(test, include, folder)
            except SystemExit:
                return None
        return folder

    def kill(self, path, text):
        """None: does not compile. True: the unit tests notice it."""
        tests = self.make(path, text)
        return None if tests is None else not self.passes(tests, self.own_folder())

    def difference(self, path, text, segments, seed):
        """A ladder on which the mutant shows something else, or None."""
        self.make(path, text)
        command = [self.build / "compare", self.build / "original" / "libmachine.so",
                   self.own_folder() / "libmachine.so", segments, seed]
        done = run(command, limit_s=COMPARE_LIMIT_S)
        return None if done.returncode == 0 else done.stdout or f"# ends with {done.returncode}"


def digest(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


class Results:
    """What is known of mutants, by the text of all sources and the mutant. Appended to a file, line by line."""

    def __init__(self, path, fresh):
        self.path, self.known, self.lock = path, {}, threading.Lock()
        if fresh:
            path.unlink(missing_ok=True)
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self.known.setdefault(entry["key"], {}).update(entry)

    def get(self, key, name):
        return self.known.get(key, {}).get(name)

    def settled(self, key):
        """'killed' or 'invalid' if any run found that."""
        return next((value for name, value in self.known.get(key, {}).items()
                     if name.startswith("fate.") and value in ("killed", "invalid")), None)

    def put(self, key, name, value):
        with self.lock:
            self.known.setdefault(key, {})[name] = value
            with self.path.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"key": key, name: value}) + "\n")


def describe(path, source, mutant):
    line = source.count("\n", 0, mutant.start) + 1
    before = " ".join(source[mutant.start:mutant.end].split())
    after = " ".join(mutant.text.split())
    return f"{path.relative_to(PROJECT)}:{line}: {mutant.kind}: {before!r} -> {after!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="so many mutants, chosen at random; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample and of the comparison")
    parser.add_argument("--file", action="append", help="only of this file of plugin/machine; may be repeated")
    parser.add_argument("--segments", type=int, default=400000, help="of the comparison")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=PROJECT / "build" / "mutation")
    parser.add_argument("--survivors", action="store_true", help="take for killed what any earlier run killed")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--quiet", action="store_true", help="the summary alone")
    options = parser.parse_args()

    names = [(MACHINE / f).read_text(encoding="utf-8") for f in ("tcp_states.def", "tcp_events.def")]
    states = [f"TCP_{name}" for name in re.findall(r"TCP_STATE\(\s*\d+, (\w+)", names[0])]
    events = [f"TCP_EV_{name}" for name in re.findall(r"TCP_EVENT\(\s*\d+, (\w+)", names[1])]
    texts = {path: path.read_text(encoding="utf-8") for path in mutable()}
    of_headers = digest(*(path.read_text(encoding="utf-8") for path in sorted(MACHINE.glob("*.[hd]*"))))
    of_all = digest(of_headers, *(path.read_text(encoding="utf-8") for path in sources()))
    candidates = [(path, mutant) for path, source in texts.items()
                  if not options.file or path.name in options.file
                  for mutant in mutants.mutants_of(source, states, events)]
    if options.sample:
        candidates = random.Random(options.seed).sample(candidates, min(options.sample, len(candidates)))

    workshop = Workshop(options.build.resolve())
    workshop.prepare()
    results = Results(options.build / "results.jsonl", options.fresh)
    of_tests = digest(*(path.read_text(encoding="utf-8") for test in UNIT_TESTS for path in sources_of_test(test)),
                      *(path.read_text(encoding="utf-8") for path in LADDERS))

    of_comparison = digest((HERE / "compare.c").read_text(encoding="utf-8"))

    def judge(candidate):
        """'invalid', 'killed', 'same', or a ladder on which the mutant differs."""
        path, mutant = candidate
        source = texts[path]
        key = digest(of_all, path.name, str(mutant.start), str(mutant.end), mutant.text)
        fate = results.get(key, f"fate.{of_tests}") or options.survivors and results.settled(key)
        if not fate:
            killed = workshop.kill(path, mutant.apply(source))
            fate = "invalid" if killed is None else "killed" if killed else "survived"
            results.put(key, f"fate.{of_tests}", fate)
        if fate != "survived":
            return fate
        asked = f"difference.{of_comparison}.{options.segments}.{options.seed}"
        difference = results.get(key, asked)
        if difference is None:
            difference = workshop.difference(path, mutant.apply(source), options.segments, options.seed) or "same"
            results.put(key, asked, difference)
        return difference

    fates = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for (path, mutant), fate in zip(candidates, pool.map(judge, candidates)):
            fates.append((path, fate))
            if not options.quiet and fate not in ("invalid", "killed"):
                print(describe(path, texts[path], mutant))
                print("    shows nothing else" if fate == "same" else "".join(f"    {l}\n" for l in fate.splitlines()),
                      flush=True)

    for path in texts:
        of_file = collections.Counter(
            fate if fate in ("invalid", "killed", "same") else "real" for other, fate in fates if other == path)
        if of_file:
            print(summary(path.name, of_file))
    print(summary("all", collections.Counter(
        fate if fate in ("invalid", "killed", "same") else "real" for _, fate in fates)))


def summary(name, count):
    shown = count["killed"] + count["real"]
    mutants_count = shown + count["same"]
    percent = 100 * count["real"] / shown if shown else 0
    return (f"{name}: {mutants_count} mutants, {count['killed']} killed, {count['same'] + count['real']} survived; "
            f"of {shown} that change what is shown {count['real']} survived: {percent:.1f} %")


if __name__ == "__main__":
    main()
