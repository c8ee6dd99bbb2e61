#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver of User-mode Linux: another kernel as a host of the lab's wire.

    uml.py FOLDER LIBRARY ADDRESS PEER

FOLDER is where Debian's packages user-mode-linux and libc6 of one suite were unpacked (debian.py): it is the root
folder of that program, and this machine's root that of its kernel, whose first process is uml_init.py. That
process is the driver; this one starts it, with LIBRARY (uml_registers.c) loaded, and gives and takes the Ethernet
headers that a User-mode Linux speaks.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import stack  # noqa: E402  (found only now)
from wire import ETHERNET_HEADER, ether_type  # noqa: E402

WIRE = 3             # file descriptor: raw IP packets, one a message
OWN_LINK, PEER_LINK = bytes((2, 0, 0, 0, 9, 1)), bytes((2, 0, 0, 0, 9, 2))
_CLOCK_TRIES = 20
_BOOT_S = 30

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
_ADDR_NO_RANDOMIZE = 0x0040000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


def _enter(folder):
    """In the process that becomes the kernel: its folder is the root, with this machine's root in it."""
    _call(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _call(_libc.unshare, _CLONE_NEWNS)
    _call(_libc.mount, b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    for source, inside in ("/", "host"), ("/dev", "dev"), ("/proc", "proc"):
        _call(_libc.mount, source.encode(), os.path.join(folder, inside).encode(), None, _MS_BIND | _MS_REC, None)
    _call(_libc.mount, b"none", os.path.join(folder, "tmp").encode(), b"tmpfs", 0, None)
    os.chroot(folder)
    os.chdir("/")
    _libc.personality(_ADDR_NO_RANDOMIZE)  # else it starts itself again


class Uml:
    """A User-mode Linux that runs uml_init.py."""

    def __init__(self, folder, registers, address, peer):
        self.frames, frames = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.frames.setsockopt(socket.SOL_SOCKET, stack.SO_TIMESTAMPNS, 1)
        self.line, line = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._console = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["/usr/bin/linux.uml", "root=/dev/root", "rootfstype=hostfs", "rootflags=/host", "ro", "mem=64M", "quiet",
             "thash_entries=64", "con=null", "con0=null,fd:1", f"ssl0=fd:{line.fileno()}", "uml_dir=/tmp",
             f"vec0:transport=fd,fd={frames.fileno()},mac={OWN_LINK.hex(':')}",
             "panic=-1", f"init={os.path.realpath(sys.executable)}", "--", "-I", "-B",
             os.path.join(HERE, "uml_init.py"), address, peer, PEER_LINK.hex(":"), folder],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
            pass_fds=[frames.fileno(), line.fileno()], start_new_session=True,
            env={"TMPDIR": "/tmp", "LD_PRELOAD": f"/host{registers}"},
            preexec_fn=lambda: _enter(folder))
        frames.close()
        line.close()

    def read_line(self):
        """The next line that the driver tells."""
        said = b""
        while not said.endswith(b"\n"):
            ready = select.select([self.line], [], [], _BOOT_S)[0]
            part = self.line.recv(1) if ready else b""
            if not part:
                self._console.seek(0)
                complaint = self._console.read()[-3000:].decode(errors="replace")
                raise RuntimeError(f"User-mode Linux does not answer: {complaint}")
            said += part
        return said.decode()

    def set_clock(self):
        """Tell the driver how far its clock is ahead of this machine's: by the quickest of several answers."""
        answers = []
        for _ in range(_CLOCK_TRIES):
            before_s = _now_s()
            self.line.sendall(b"clock\n")
            theirs_s = float(self.read_line().split()[3])
            after_s = _now_s()
            answers.append((after_s - before_s, theirs_s - (before_s + after_s) / 2))
        self.line.sendall(f"ahead {min(answers)[1]:.6f}\n".encode())
        self.read_line()

    def hurry(self):
        """Let it, and this process, wait for no ordinary process any more: its polls would have gaps."""
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(process)) == self.process.pid:
                    for thread in os.listdir(f"/proc/{process}/task"):
                        os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile

    def end(self):
        """Kill it, and its processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _now_s():
    return time.time()


class Lateness:
    """Tells how long a packet lay before it was taken, if longer than any before: states are dated later by that."""

    def __init__(self):
        self._largest_ns = 2000000

    def receive(self, end):
        """The next packet of a socket."""
        packet, sent_ns = stack.receive_dated(end)
        late_ns = time.time_ns() - sent_ns
        if late_ns > self._largest_ns:
            self._largest_ns = late_ns
            os.write(1, f"gap {late_ns / 1e9:.6f}\n".encode())
        return packet


def relay(uml):
    """Carry commands, answers and packets until the end of standard input."""
    wire = socket.socket(fileno=WIRE)
    lateness, said = Lateness(), b""
    while True:
        for ready in select.select([0, uml.line, uml.frames, wire], [], [])[0]:
            if ready is wire:
                packet = lateness.receive(wire)
                uml.frames.send(OWN_LINK + PEER_LINK + ether_type(packet) + packet)
            elif ready is uml.frames:
                frame = lateness.receive(uml.frames)
                packet = frame[ETHERNET_HEADER:]
                if frame.startswith(PEER_LINK + OWN_LINK + ether_type(packet)):  # nothing but IP for the neighbour
                    wire.send(packet)
            elif ready is uml.line:
                part = uml.line.recv(4096)
                if not part:
                    return
                lines, end, said = (said + part).rpartition(b"\n")
                os.write(1, lines + end)
            else:
                command = os.read(0, 4096)
                if not command:
                    return
                uml.line.sendall(command)


def main(folder, registers, address, peer):
    """Be the driver."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # to boot takes long
    uml = Uml(folder, registers, address, peer)
    try:
        first = uml.read_line()
        uml.set_clock()
        uml.hurry()
        os.write(1, first.encode())
        relay(uml)
    finally:
        uml.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
