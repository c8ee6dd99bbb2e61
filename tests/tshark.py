#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The one place where tests start tshark, sharkd and, for tests/gui, Wireshark.

    with Tshark() as tshark:
        print(tshark.run(["-T", "fields", "-e", "tcpstate.local.str"], capture).stdout)

Each Tshark has a home folder of its own with nothing in it but the plugin, so that neither the
user's preferences nor a plugin installed for all plays a part; stock=True leaves ours out too. Nor do Wireshark's
data files, lists of makers and services which take it half of the time to start.
Wireshark ignores personal plugins for root, so root's tests run as nobody; hence captures are
copied to where nobody may read them. The environment says what is tested:

    TCPSTATE_PLUGIN   the built tcpstate.so
    TCPSTATE_TSHARK   tshark to run  (default: the one in PATH)
    TCPSTATE_SHARKD   sharkd to run  (default: the one in PATH)
    TCPSTATE_LIMIT_S  how long a run or an answer may take, in seconds  (default: 60)
"""

import json
import os
import re
import selectors
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

NOBODY = 65534
TIME_LIMIT_S = int(os.environ.get("TCPSTATE_LIMIT_S", 60))

# Variables that a build with sanitizers, or a check of memory, needs and that change nothing else.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "ASAN_OPTIONS", "LSAN_OPTIONS",
              "UBSAN_OPTIONS", "WIRESHARK_DEBUG_WMEM_OVERRIDE", "G_SLICE")


class Failure(AssertionError):
    """A program did not do what it was asked; the message says which and how it was started."""


class Output(NamedTuple):
    """What a program left behind."""
    stdout: str
    stderr: str
    rc: int


def _program(variable, name):
    found = shutil.which(os.environ.get(variable, name))
    if not found:
        raise Failure(f"{name} not found: install it or set {variable}")
    return found


def run_tool(*words):
    """Run one of Wireshark's other tools, such as mergecap, which take no part in what is tested: not
    under a sanitizer, where mergecap hangs."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=60,
                   env=environment)


def _as_nobody():
    """The words before a command that make it run without root's uid and gid."""
    if os.getuid() != 0:
        if os.getgid() == 0:
            raise Failure("Wireshark loads no personal plugins in group 0: "
                          "run the tests as root or as a user of another group")
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


class Tshark:
    """A home folder, the plugin in it, and the programs that use them."""

    def __init__(self, stock=False):
        """stock: without the plugin, to compare with."""
        self._stock = stock
        self.program = _program("TCPSTATE_TSHARK", "tshark")
        self._copies = {}
        self._copying = threading.Lock()
        self._folder = None
        self._running = []

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="tcpstate-test-"))
        try:
            self.home = self._folder / "home"
            no_plugins, no_data = self._folder / "no-plugins", self._folder / "no-data"
            for folder in (self.home, no_plugins, no_data, self._folder / "tmp", self._folder / "captures"):
                folder.mkdir()
            self._environment = {name: os.environ[name] for name in _PASSED_ON
                                 if name in os.environ}
            self._environment.update(HOME=str(self.home), TMPDIR=str(self._folder / "tmp"),
                                     WIRESHARK_PLUGIN_DIR=str(no_plugins), WIRESHARK_DATA_DIR=str(no_data),
                                     LC_ALL="C.UTF-8", TZ="UTC")
            self._give_to_nobody(self._folder)
            self._ask_version()
            if not self._stock:
                self._install_plugin()
                self._give_to_nobody(self.home)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for server in self._running:
            server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask_version(self):
        """Set series, the major.minor version, and what the installation always complains of.

        A distribution's own plugin may fail to load; that says nothing about ours, which is not
        in place yet.
        """
        done = subprocess.run([*_as_nobody(), self.program, "--version"], text=True,
                              env=self._environment, cwd=self.home, capture_output=True,
                              timeout=TIME_LIMIT_S, check=True)
        self.series = re.search(r"(\d+\.\d+)\.\d+", done.stdout)[1]
        self._usual = set(done.stderr.splitlines(True))

    def _install_plugin(self):
        plugin = os.environ.get("TCPSTATE_PLUGIN")
        if not plugin or not Path(plugin).is_file():
            raise Failure("set TCPSTATE_PLUGIN to the built tcpstate.so"
                          + (f" (there is no {plugin})" if plugin else ""))
        folder = self.home / ".local/lib/wireshark/plugins" / self.series / "epan"
        folder.mkdir(parents=True)
        shutil.copy(plugin, folder / "tcpstate.so")

    @staticmethod
    def _give_to_nobody(folder):
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
            if os.getuid() == 0:
                os.chown(path, NOBODY, NOBODY)

    def add_profile(self, name, folder):
        """Put a configuration profile into the home folder, for the option -C."""
        shutil.copytree(folder, self.home / ".config/wireshark/profiles" / name)
        self._give_to_nobody(self.home)

    def readable(self, capture):
        """A copy of a capture that the program may read, under the same file name."""
        capture = Path(capture).resolve()
        with self._copying:
            if capture not in self._copies:
                if not capture.is_file():
                    raise Failure(f"no such capture: {capture}")
                folder = self._folder / "captures" / str(len(self._copies))
                folder.mkdir()
                folder.chmod(0o755)
                copy = folder / capture.name
                shutil.copyfile(capture, copy)
                copy.chmod(0o644)
                self._copies[capture] = copy
            return self._copies[capture]

    def run(self, arguments, capture=None, expect_stderr=None, refuses=False, limit_s=TIME_LIMIT_S):
        """Run tshark with arguments, on capture if given; return its Output.

        Fails on an exit status other than 0 (or, with refuses, other than an error's), and on
        any line of stderr, unless all of stderr matches the regular expression expect_stderr.
        """
        command = [self.program, *(["-r", str(self.readable(capture))] if capture else []),
                   *arguments]
        try:
            done = subprocess.run(_as_nobody() + command, env=self._environment,
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  cwd=self.home, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {limit_s} s: {command}") from None
        stderr = "".join(line for line in done.stderr.decode(errors="replace").splitlines(True)
                         if line not in self._usual)
        if done.returncode < 0 or (done.returncode != 0) != refuses:
            raise Failure(f"exit status {done.returncode} from {command}:\n{stderr}")
        if expect_stderr is None and stderr:
            raise Failure(f"unexpected on stderr from {command}:\n{stderr}")
        if expect_stderr is not None and not re.fullmatch(expect_stderr, stderr, re.DOTALL):
            raise Failure(f"stderr of {command} is not {expect_stderr!r}:\n{stderr}")
        return Output(done.stdout.decode(), stderr, done.returncode)

    def fields(self, capture, names, arguments=()):
        """The values of fields, a list of frames, each a list of strings in names' order."""
        wanted = [word for name in names for word in ("-e", name)]
        out = self.run(["-T", "fields", "-E", "separator=/t", *wanted, *arguments], capture).stdout
        return [line.split("\t") for line in out.splitlines()]

    def start(self, command, environment=None, **how):
        """Start any program, such as self.program, as the same user in the same home; the caller ends it.

        environment comes on top of what tshark gets, how goes to Popen. Returns the Popen.
        """
        return subprocess.Popen(_as_nobody() + [str(word) for word in command],
                                env=self._environment | (environment or {}), cwd=self.home,
                                start_new_session=True, **how)

    def preload(self, library):
        """Load a library before all others in what is started from now on, but for a sanitizer's; a DLL, in place of
        Wireshark's own."""
        if Path(library).suffix == ".dll":
            self._environment["TCPSTATE_STANDS_IN"] = str(library)  # see tests/wine/program
            return
        before = [self._environment["LD_PRELOAD"]] if "LD_PRELOAD" in self._environment else []
        self._environment["LD_PRELOAD"] = ":".join([*before, str(library)])

    def private_folder(self, name):
        """A new folder that belongs to that user alone."""
        folder = self._folder / name
        folder.mkdir()
        self._give_to_nobody(folder)
        folder.chmod(0o700)
        return folder

    def sharkd(self, capture=None):
        """A running sharkd, which has opened capture if given; closed with this Tshark at the latest."""
        server = Sharkd(_as_nobody() + [_program("TCPSTATE_SHARKD", "sharkd"), "-"],
                        self._environment, self.home, self.readable)
        self._running.append(server)
        if capture:
            server.load(capture)
        return server


class Sharkd:
    """A sharkd, the server that answers questions about a capture in JSON, frame by frame."""

    def __init__(self, command, environment, folder, readable):
        self._readable = readable
        self._said = tempfile.TemporaryFile(dir=environment["TMPDIR"])
        self._process = subprocess.Popen(command, env=environment, cwd=folder,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=self._said)
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._process.stdout, selectors.EVENT_READ)
        self._unread = b""
        self._asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        """End the server."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said, self._waiting):
            stream.close()

    def _line(self):
        deadline = time.monotonic() + TIME_LIMIT_S
        while b"\n" not in self._unread:
            if not self._waiting.select(max(0, deadline - time.monotonic())):
                raise Failure(f"sharkd silent for {TIME_LIMIT_S} s")
            got = os.read(self._process.stdout.fileno(), 1 << 16)
            if not got:
                self._said.seek(0)
                raise Failure(f"sharkd ended, status {self._process.wait()}:\n"
                              + self._said.read().decode(errors="replace"))
            self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def request(self, method, **parameters):
        """Ask; return the result member of the JSON-RPC answer."""
        self._asked += 1
        question = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": parameters}
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _line() says how it ended
        answer = json.loads(self._line())
        if "result" not in answer:
            raise Failure(f"sharkd refuses {question}: {answer}")
        return answer["result"]

    def load(self, capture):
        """Open a capture."""
        self.request("load", file=str(self._readable(capture)))

    def set(self, preference, value):
        """Set a preference, from the next load() on."""
        self.request("setconf", name=preference, value=str(value))

    def rows(self, names, display_filter=""):
        """The frames that pass a display filter, or all: for each a list of its fields' texts, in names' order.

        The texts are those of the packet list's columns: names instead of numbers, all values joined by commas.
        Filter one capture only with a sharkd: what passed a filter is kept, and given for the next capture as well.
        """
        columns = {f"column{number}": f"{name}:0" for number, name in enumerate(names)}
        chosen = {"filter": display_filter} if display_filter else {}
        return [row["c"] for row in self.request("frames", **chosen, **columns)]

    def frames(self, display_filter):
        """The numbers of the frames that pass a display filter."""
        return [int(number) for number, in self.rows(["frame.number"], display_filter)]

    def frame(self, number):
        """The protocol tree of a frame, hidden items included: a list of nodes."""
        return self.request("frame", frame=number, proto=True, hidden=True)["tree"]
