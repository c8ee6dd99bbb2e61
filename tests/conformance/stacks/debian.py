# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of another suite of Debian, unpacked into a folder and not installed."""

import os
import subprocess
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging"))

import roots  # noqa: E402  (found only now)

Unavailable = roots.Unavailable
LIMIT_S = 300
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def unpacked(suite, packages, parent):
    """The folder, below parent, with what these packages of a suite hold. Fetched from where this machine's apt gets
    Debian, unless it is there."""
    folder = os.path.join(parent, suite)
    if not os.path.isdir(folder):
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=parent) as fetching:
            _fetch(suite, packages, fetching)
            _unpack(fetching, os.path.join(fetching, "root"))
            os.rename(os.path.join(fetching, "root"), folder)
    return folder


def _run(*command, cwd):
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"{command[0]}: {problem}") from None
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command[-3:])} failed: {done.stdout[-500:]}")


def _fetch(suite, packages, folder):
    """Download packages into a folder, by an apt with settings, lists and cache of its own in there."""
    for inside in "lists/partial", "cache/archives/partial":
        os.makedirs(os.path.join(folder, inside))
    with open(os.path.join(folder, "sources.list"), "w", encoding="ascii") as file:
        file.write(f"deb [signed-by={_KEYS}] {roots.mirror()} {suite} main\n")
    with open(os.path.join(folder, "status"), "w", encoding="ascii"):
        pass
    own = {"Dir::Etc::SourceList": "sources.list", "Dir::Etc::SourceParts": "none", "Dir::State::Lists": "lists",
           "Dir::Cache": "cache", "Dir::State::status": "status"}
    options = [word for name, value in own.items() for word in ("-o", f"{name}={os.path.join(folder, value)}")]
    options += ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"]
    _run("apt-get", "-q", *options, "update", cwd=folder)
    _run("apt-get", "-q", *options, "download", *packages, cwd=folder)


def _unpack(folder, root):
    """Unpack what was downloaded, so that a program finds its libraries with this folder as its root."""
    for name in os.listdir(folder):
        if name.endswith(".deb"):
            _run("dpkg-deb", "-x", name, root, cwd=folder)
    for name in "lib", "lib64":
        if not os.path.exists(os.path.join(root, name)):
            os.symlink(f"usr/{name}", os.path.join(root, name))
    for name in "dev", "host", "proc", "tmp":
        os.makedirs(os.path.join(root, name), exist_ok=True)
