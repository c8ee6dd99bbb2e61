# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's reason for each RST that the hosts of a lab sent, by its tracepoint tcp:tcp_send_reset,
which Linux has since 6.10. What the reasons mean is told in resets.py."""

import contextlib
import ctypes
import os
import re
import subprocess
import time
from typing import NamedTuple

_TRACING = "/sys/kernel/tracing"
_EVENT = "events/tcp/tcp_send_reset"
_CLONE_NEWNS = 0x00020000
_WIRE_S = 0.050      # longest from the tracepoint to the wire's thread, on a busy machine


def mount():
    """Let this process and its children see tracefs, none else."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.path.exists(os.path.join(_TRACING, "events")) or libc.unshare(_CLONE_NEWNS) != 0:
        return
    for command in ["mount", "--make-rprivate", "/"], ["mount", "-t", "tracefs", "nodev", _TRACING]:
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)


def inability():
    """Why reasons cannot be recorded here, or nothing."""
    if os.path.exists(os.path.join(_TRACING, _EVENT)):
        return ""
    return f"Linux {os.uname().release} has no tracepoint tcp:tcp_send_reset, or tracefs cannot be mounted"


class _Event(NamedTuple):
    process: str
    time_s: float
    local: str
    remote: str  # of a listening socket: any address, port 0
    reason: str


_LINE = re.compile(r" \( *(\d+|-+)\) .* (\d+\.\d+): tcp_send_reset: .* src=(\S+) dest=(\S+) .* reason=(\w+)")


class Tracer:
    """An instance of the kernel's tracing, as long as a lab."""

    def __init__(self):
        self._path = None
        if inability():
            return
        instances = os.path.join(_TRACING, "instances")
        for name in os.listdir(instances):  # of labs that were killed
            if name.startswith("tcpstate-") and not os.path.exists(f"/proc/{name[9:]}"):
                self._remove(os.path.join(instances, name))
        self._path = os.path.join(instances, f"tcpstate-{os.getpid()}")
        os.makedirs(self._path, exist_ok=True)
        self._write("buffer_size_kb", "64")
        self._write("trace_clock", "tai")
        self._write("options/record-tgid", "1")
        self._write("trace", "")
        self._write(f"{_EVENT}/enable", "1")

    def _write(self, file, value):
        with open(os.path.join(self._path, file), "w", encoding="ascii") as opened:
            opened.write(value)

    @staticmethod
    def _remove(path):
        with contextlib.suppress(OSError):
            os.rmdir(path)

    def stop(self, sent):
        """The Resets that the wire saw its hosts send, sent, with their reasons and times."""
        if not self._path:
            return []
        self._write(f"{_EVENT}/enable", "0")
        ahead_s = time.clock_gettime(time.CLOCK_TAI) - time.time()
        with open(os.path.join(self._path, "trace"), encoding="utf-8", errors="replace") as file:
            events = [_Event(process, float(time_s) - ahead_s, *words)
                      for process, time_s, *words in _LINE.findall(file.read())]
        return [_complete(events, reset) for reset in sent]

    def close(self):
        """Remove the instance."""
        if self._path:
            self._remove(self._path)


def _complete(events, reset):
    """A Reset with the time and reason of its event, which is taken away from events. Most are sent while a call of
    this process is at work; those of timers while any process is, perhaps another lab's, whose ends have the same
    names."""
    fitting = [e for e in events if reset.time_s - _WIRE_S < e.time_s <= reset.time_s and e.local == reset.local
               and (e.remote == reset.remote or e.remote.endswith(":0"))]
    own = [e for e in fitting if e.process == str(os.getpid())]
    if own:
        events.remove(own[0])
        return reset._replace(time_s=own[0].time_s, reason=own[0].reason)
    if len({e.reason for e in fitting}) == 1:
        return reset._replace(time_s=fitting[-1].time_s, reason=fitting[-1].reason)
    return reset
