#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile all that the project has with Clang, warnings as errors, and run the machine's tests.

For Windows, by MinGW-w64: tests/wine/packages.py.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import roots

TIME_LIMIT_S = 240


def run(*command):
    """Run a command; return what it said."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIME_LIMIT_S)
    if done.returncode != 0:
        raise roots.Failure(f"{' '.join(command)}: {done.returncode}\n{done.stdout}")
    return done.stdout


def test():
    if not shutil.which("clang"):
        raise roots.Unavailable("clang is not installed")
    with tempfile.TemporaryDirectory(prefix="tcpstate-test-") as folder:
        for kind in "RelWithDebInfo", "Debug":
            built = Path(folder) / kind
            run("cmake", "-S", roots.PROJECT, "-B", built, "-G", "Ninja", f"-DCMAKE_BUILD_TYPE={kind}",
                "-DTCPSTATE_WERROR=ON", "-DCMAKE_C_COMPILER=clang")
            run("cmake", "--build", built)
            run("ctest", "--test-dir", built, "--label-regex", "^unit$", "--no-tests=error")


if __name__ == "__main__":
    roots.main(test)
