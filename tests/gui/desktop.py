# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual screen, used by mouse and keyboard, and read as a screen reader does."""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))

from tshark import Failure, Tshark  # noqa: E402, F401

LIMIT_S = 60
PYTHON = "/usr/bin/python3"  # the one that Debian's gi belongs to
_PROGRAMS = ("Xvfb", "openbox", "dbus-daemon", "xdotool", "convert", "import", "setpriv", PYTHON)
_PACKAGES = "xvfb openbox dbus-daemon at-spi2-core python3-gi xdotool imagemagick wireshark"


def wireshark_program():
    """Wireshark itself: $TCPSTATE_WIRESHARK, or the one in PATH; None if there is none."""
    return shutil.which(os.environ.get("TCPSTATE_WIRESHARK", "wireshark"))


def missing():
    """What this machine lacks for a desktop, as a sentence; "" if nothing."""
    lacking = [name for name in _PROGRAMS if not shutil.which(name)]
    if not wireshark_program():
        lacking.append("wireshark")
    reads = not lacking and subprocess.run(
        [PYTHON, "-c", "from gi.repository import Gio"],
        capture_output=True, timeout=LIMIT_S).returncode == 0
    if not lacking and not reads:
        lacking.append(f"gi for {PYTHON}")
    return f"no {', '.join(lacking)}: install {_PACKAGES}" if lacking else ""


class Node:
    """A part of a window that shows: see reader.py."""

    def __init__(self, read):
        self.role, self.name, self.text = read["role"], read["name"], read["text"]
        self.states, self.box = frozenset(read["states"]), tuple(read["box"])
        self.children = [Node(child) for child in read["children"]]

    def __iter__(self):
        yield self
        for child in self.children:
            yield from child

    def __str__(self):
        return f"{self.role} {self.name!r} {self.text!r} {sorted(self.states)}"

    def all(self, role, name=None):
        """The nodes of a role, and of a name, if given: a string, or a pattern that must match all of it."""
        return [node for node in self if node.role == role
                and (name is None or node.name == name
                     or (isinstance(name, re.Pattern) and name.fullmatch(node.name)))]

    def one(self, role, name=None):
        """The first such node, or None."""
        return next(iter(self.all(role, name)), None)

    def rows(self):
        """Of a tree: its rows, each the list of its cells that show."""
        rows = {}
        for cell in self.all("tree item"):
            rows.setdefault(cell.box[1], []).append(cell)
        return [rows[y] for y in sorted(rows)]

    def texts(self):
        """The same, as lists of strings."""
        return [[cell.name for cell in row] for row in self.rows()]


class Desktop:
    """A screen, a window manager, and the reader."""

    def __init__(self, tshark, width=1600, height=1000):
        self.tshark, self.width, self.height = tshark, width, height
        self._running = []

    def __enter__(self):
        try:
            self.environment = {
                "XDG_RUNTIME_DIR": str(self.tshark.private_folder("run")),
                "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "QT_SCALE_FACTOR": "1"}
            xvfb = self._start(["Xvfb", "-displayfd", "1", "-screen", "0",
                                f"{self.width}x{self.height}x24", "-dpi", "96", "-nolisten", "tcp"])
            self.environment["DISPLAY"] = f":{self._line(xvfb)}"
            bus = self._start(["dbus-daemon", "--session", "--nofork", "--print-address=1"])
            self.environment["DBUS_SESSION_BUS_ADDRESS"] = self._line(bus)
            self._start(["openbox"])
            self._reader = self._start([PYTHON, self.tshark.readable(HERE / "reader.py")],
                                       stdin=subprocess.PIPE)
            self._ask(ask="windows")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for process in reversed(self._running):
            end(process)

    def _start(self, command, **how):
        process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **how)
        self._running.append(process)
        return process

    def start(self, command, **how):
        """Start a program on this screen."""
        return self.tshark.start(command, self.environment, **how)

    @staticmethod
    def _line(process):
        """The next line that a program prints."""
        line = b""
        deadline = time.monotonic() + LIMIT_S
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not waiting.select(max(0, deadline - time.monotonic())):
                    raise Failure(f"silent for {LIMIT_S} s: {process.args}")
                got = os.read(process.stdout.fileno(), 1 << 16)
                if not got:
                    raise Failure(f"ended, status {process.wait()}: {process.args}")
                line += got
        return line.decode().rstrip("\n")

    def _ask(self, **question):
        self._reader.stdin.write(json.dumps(question).encode() + b"\n")
        self._reader.stdin.flush()
        return json.loads(self._line(self._reader))

    def windows(self):
        """The titles of all windows; [] while one of them goes away."""
        return self._ask(ask="windows") or []

    def read(self, title):
        """The window of this title, a Node; None if there is none, or while it goes away."""
        found = self._ask(ask="read", window=title)
        return Node(found) if found else None

    def choose(self, title, path):
        """Choose an item of a window's menu bar; whether there is one."""
        return self._ask(ask="menu", window=title, path=path)

    def _output(self, *command, may_fail=False):
        """What a program prints on stdout."""
        done = self.start(command, stdout=subprocess.PIPE)
        out, _ = done.communicate(timeout=LIMIT_S)
        if done.returncode and not may_fail:
            raise Failure(f"exit status {done.returncode} of {command}")
        return out

    def _xdotool(self, *words):
        self._output("xdotool", *words)

    def click(self, node, times=1):
        """Click in the middle of a node; of a list's item at its begin, for the rest may be out of sight."""
        x, y, width, height = node.box
        inside = min(15, width // 2) if node.role == "tree item" else width // 2
        self._xdotool("mousemove", x + inside, y + height // 2, "click", "--repeat", times, 1)

    def keys(self, *keys):
        self._xdotool("key", *keys)

    def type(self, text):
        self._xdotool("type", "--delay", 15, text)

    def place(self, title, x, y, width, height):
        """Move a window and give it a size, its frame apart; False if it is not on the screen yet."""
        name = f"^{re.escape(title)}$"
        numbers = self._output("xdotool", "search", "--onlyvisible", "--name", name, may_fail=True).split()
        if numbers:
            number = numbers[0].decode()
            self._xdotool("windowsize", number, width, height, "windowmove", number, x, y)
        return bool(numbers)

    def picture(self, *options):
        """The screen as PNG. options are ImageMagick's."""
        return self._output("import", "-window", "root", *options, "png:-")

    def colours(self, x, y, width, height):
        """The colours of a part of the screen, as #RRGGBB."""
        done = subprocess.run(["convert", "-", "-depth", "8", "-unique-colors", "txt:-"], capture_output=True,
                              input=self.picture("-crop", f"{width}x{height}+{x}+{y}"), timeout=LIMIT_S, check=True)
        return set(re.findall(r"#[0-9A-F]{6}", done.stdout.decode()))


def end(process):
    """End a program and what it started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
