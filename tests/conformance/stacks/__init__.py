# SPDX-License-Identifier: GPL-2.0-or-later
"""The other stacks that a host of the lab can be, by name, and how to start the driver of each."""

import os
import sys

from stacks import debian

HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """A stack is not to be had here; the message says why."""


def _built(name):
    """The path of what CMake has built of this folder."""
    path = os.path.join(os.environ.get("TCPSTATE_STACKS", ""), name)
    if not os.path.exists(path):
        raise Unavailable(f"{name} is not in the folder that TCPSTATE_STACKS names: it was not built")
    return path


def _program(name):
    """The command of a driver that is a program of its own."""
    return lambda: [_built(name)]


def _user_mode_linux(suite):
    """The command of the driver of a suite's User-mode Linux, which is fetched when it is not there."""
    def command():
        registers = _built("uml_registers.so")
        if os.uname().machine != "x86_64":
            raise Unavailable("Debian has User-mode Linux for amd64 alone")
        try:
            folder = debian.unpacked(suite, ("user-mode-linux", "libc6"), os.path.dirname(registers))
        except debian.Unavailable as reason:
            raise Unavailable(str(reason)) from None
        return [sys.executable, "-B", os.path.join(HERE, "uml.py"), folder, registers]
    return command


# What gives the command of a driver; it raises Unavailable.
STACKS = {
    "linux-6.1": _user_mode_linux("bookworm"),
    "linux-6.12": _user_mode_linux("trixie"),
    "linux-sid": _user_mode_linux("sid"),
    "lwip": _program("lwip"),
    "slirp": _program("slirp"),
    "gvisor": _program("gvisor"),
}
