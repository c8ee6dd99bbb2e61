#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one run of tshark costs: instructions, time, memory. Used by run.py and guard.py."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

import captures  # noqa: E402
import tcp_profile  # noqa: E402
from tshark import Failure, Tshark  # noqa: E402

# Two lengths of a capture: what the longer costs more is free of start-up.
SHORT_RUN, LONG_RUN = 2000, 12000

STATE_FIELDS = ("local", "remote", "local.str", "remote.str", "local.since", "local.duration")
TCP_FIELDS = ("srcport", "dstport", "seq", "ack", "len", "stream")
TRANSUM_FIELDS = ("status", "firstreq", "firstrsp", "lastrsp", "art", "st")


def output_of(protocol, names):
    """The arguments that print fields of a protocol."""
    return ["-T", "fields", *(word for name in names for word in ("-e", f"{protocol}.{name}"))]


class Use(NamedTuple):
    """One way to use tshark: its arguments, by whether a plugin's own fields are meant; None: no such use."""
    what: str
    stock: list       # of the same kind without the plugin, to compare with
    tcpstate: list
    transum: list | None
    lua: list | None


_NONE = ["-Y", "tcp.port==1"]
_JSON = ["-T", "json"]
_PROFILE = ["-C", tcp_profile.NAME, "--color"]
USES = {
    "plain": Use("plain", [], [], [], []),
    "other filter": Use("-Y tcp.port==1", _NONE, _NONE, _NONE, _NONE),
    "own filter": Use("-Y on an own field", _NONE, ["-Y", "tcpstate.remote==CLOSING"],
                      ["-Y", "transum.status==\"x\""], ["-Y", "one_state.state==\"x\""]),
    "fields": Use("-T fields, six", output_of("tcp", TCP_FIELDS), output_of("tcpstate", STATE_FIELDS),
                  output_of("transum", TRANSUM_FIELDS),
                  [*output_of("tcp", TCP_FIELDS[:5]), "-e", "one_state.state"]),
    "json": Use("-T json", _JSON, _JSON, _JSON, _JSON),
    "profile": Use("the profile", _PROFILE, _PROFILE, None, None),
}


class Transum(Tshark):
    """The stock TRANSUM plugin, switched on, in the place of ours."""

    def _install_plugin(self):
        said = subprocess.run([self.program, "-G", "folders"], text=True, capture_output=True, check=True,
                              timeout=60).stdout
        installed = re.search(r"^Global Plugins:\s*(\S+)", said, re.MULTILINE)
        plugin = Path(installed[1], "epan", "transum.so") if installed else Path("no plugins")
        if not plugin.is_file():
            raise Failure(f"no TRANSUM here: {plugin}")
        folder = self.home / ".local/lib/wireshark/plugins" / self.series / "epan"
        folder.mkdir(parents=True)
        shutil.copy(plugin, folder)


PROGRAMS = {
    "stock": (lambda: Tshark(stock=True), []),
    "tcpstate": (Tshark, []),
    "transum": (Transum, ["--enable-protocol", "transum"]),
    "lua": (lambda: Tshark(stock=True), ["-X", f"lua_script:{HERE / 'one_state.lua'}"]),
}


class Captures:
    """A folder with generated captures, each made when it is first asked for."""

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="tcpstate-bench-"))
        self._folder.chmod(0o755)
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self._folder, ignore_errors=True)

    def scratch(self, name):
        """The path of a file that a program under test may write."""
        folder = self._folder / "scratch"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        return folder / name

    def _make(self, path, write):
        """The path of a file that write makes when it is first asked for, perhaps by several threads at once."""
        if not path.exists():
            made = path.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
            write(made)
            made.chmod(0o755)
            made.rename(path)
        return path

    def steady(self):
        """The path of a library to preload: see steady.c."""
        return self._make(self._folder / "steady.so", lambda made: subprocess.run(
            ["cc", "-shared", "-fPIC", "-O2", "-o", str(made), str(HERE / "steady.c"), "-ldl"], check=True, timeout=60))

    def path(self, kind, packets):
        return self._make(self._folder / f"{kind}-{packets}.pcap",
                          lambda made: captures.write(kind, packets, made))


@contextmanager
def _program(program):
    """A Tshark with the profile, and the options that it always gets."""
    make, options = PROGRAMS[program]
    with make() as tshark, tempfile.TemporaryDirectory(prefix="tcpstate-bench-") as folder:
        tshark.add_profile(tcp_profile.NAME,
                           tcp_profile.OWN if program == "tcpstate" else tcp_profile.make(Path(folder) / "profile"))
        yield tshark, options


class Cost(NamedTuple):
    """Of one run."""
    wall_s: float
    cpu_s: float
    peak_bytes: int


def run(program, use, path):
    """Run tshark on a capture; return its Cost."""
    with _program(program) as (tshark, options):
        arguments = [*options, "-r", str(path), *getattr(USES[use], program)]
        begun = time.monotonic()
        process = tshark.start([tshark.program, *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.monotonic() - begun
    if process.returncode != 0:
        raise Failure(f"exit status {process.returncode} of {arguments}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def instructions(program, use, kind, packets, made, profile="/dev/null"):
    """How many instructions tshark takes from the moment it opens a capture. profile: where callgrind's goes."""
    with _program(program) as (tshark, options):
        arguments = [*options, "-r", str(made.path(kind, packets)), *getattr(USES[use], program)]
        process = tshark.start(["env", f"LD_PRELOAD={made.steady()}", "valgrind", "--tool=callgrind",
                                "--instr-atstart=no", f"--callgrind-out-file={profile}", tshark.program, *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        said = process.communicate()[1]
    found = re.search(r"Collected : (\d+)", said)
    if process.returncode != 0 or not found:
        raise Failure(f"callgrind failed on {arguments}:\n{said}")
    return int(found[1])


def hook_per_packet(use, kind, made, packets=LONG_RUN):
    """Instructions per packet within the plugin's hook."""
    profile = made.scratch(f"{kind}-{use}")
    instructions("tcpstate", use, kind, packets, made, profile)
    return hook_instructions(profile) / packets


def per_packet(program, use, kind, made, lengths=(SHORT_RUN, LONG_RUN)):
    """Instructions per packet of a kind of capture, start-up taken off."""
    few, many = (instructions(program, use, kind, packets, made) for packets in lengths)
    return (many - few) / (lengths[1] - lengths[0])


HOOK = "dissect_tcpstate"
WITHIN = ("dissect_and_annotate",)  # called by the hook where an annotation is referenced
TCP = "call_dissector_only"         # called by all of them: the TCP dissector


def hook_instructions(profile):
    """Instructions within the plugin's hook, all that it calls included but the TCP dissector, by callgrind's profile.

    Unlike the difference of two runs this leaves out what Wireshark itself spends on calling the hook.
    """
    names, function, called, calls, spent = {}, None, None, False, 0

    def named(text):
        """The name in "(12) name", or the one that went with "(12)" before."""
        number, _, name = text.partition(" ")
        return names.setdefault(number, name) if name else names[number]
    with open(profile) as lines:
        for line in lines:
            key, equals, text = line.rstrip("\n").partition("=")
            if equals and key == "fn":
                function = named(text)
            elif equals and key == "cfn":
                called = named(text)
            elif equals and key == "calls":
                calls = True
            elif line[:1] in tuple("0123456789+-*") and len(words := line.split()) > 1:
                is_tcp = calls and called.startswith(TCP)
                if function == HOOK and not is_tcp:
                    spent += int(words[1])
                elif function.startswith(WITHIN) and is_tcp: # counted in what the hook spends on that call
                    spent -= int(words[1])
                calls = False
    if spent == 0:
        raise Failure(f"no {HOOK} in the profile: is the plugin stripped?")
    return spent
