#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin in Wireshark 4.0 for Windows, under Wine: that of Debian's sources, built by MinGW-w64.

usage: wine.py prepare               build Wireshark, once, the plugin, and DLLs that stand in for Wireshark's
       wine.py run SCRIPT [WORD...]  run a script of tests/ on them, unmodified, as nobody

4.0, because its sources are those of a Debian that no longer changes. All of it is in the Debian "windows" that
cmake/windows/package.py makes, and stays there for later runs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cmake/windows"))
import package  # noqa: E402 (needs the path)
import roots  # noqa: E402 (package has the path)

SERIES = "4.0"
# To build Wireshark and its libraries, to run it, and what the tests of regress/ use besides.
TOOLS = """bzip2 dpkg-dev file flex g++ g++-mingw-w64-ucrt64 gcc gettext libgcrypt-mingw-w64-dev
    libgpg-error-mingw-w64-dev meson perl python3 python3-jsonschema python3-packaging wine wine64 wireshark-common
    xz-utils zlib1g-dev""".split()
WIRESHARK = "/opt/wireshark"  # as in tests/wine/program
PLUGIN = "/opt/tcpstate.dll"
STAND_INS = "/opt/stand-ins"  # as in tests/CMakeLists.txt
PREFIX = "/opt/wine-prefix"   # as in tests/wine/environment
BUILD_LIMIT_S = 3 * 3600
RUN_LIMIT_S = 3000
NOT_TO_BE_HAD = ": 77\n"


def build_wireshark(root):
    """Install those tools that are missing, and build tshark.exe and sharkd.exe where they are not there."""
    with root.scratch() as folder:
        root.copy_project(f"{folder}/project")
        root.run([f"{folder}/project/cmake/debian-packages", *TOOLS], installs=True)
        if root.path(f"{WIRESHARK}/bin/tshark.exe").exists():
            return
        try:
            root.run([f"{folder}/project/tests/wine/build-wireshark", f"{folder}/project", WIRESHARK], folder,
                     limit_s=BUILD_LIMIT_S)
        except roots.Failure as failure:
            if NOT_TO_BE_HAD in str(failure):
                raise roots.Unavailable(str(failure)[-300:]) from None
            raise


def build_plugin(root):
    with root.scratch() as folder:
        dll = package.build(root, SERIES, f"{folder}/{SERIES}")
        dll.rename(root.path(PLUGIN))


def build_stand_ins(root):
    with root.scratch() as folder:
        root.copy_project(f"{folder}/project")
        root.run([f"{folder}/project/tests/wine/build-stand-ins", WIRESHARK, STAND_INS])


def make_prefix(root):
    """Make Wine's own folder, which belongs to nobody, where it is not there."""
    if root.path(f"{PREFIX}/made").exists():
        return
    root.run(["install", "--directory", "--owner=65534", "--group=65534", PREFIX])
    with root.scratch() as folder:
        root.copy_project(f"{folder}/project")
        inside(root, f"{folder}/project", ["touch", f"{PREFIX}/made"])


def inside(root, project, command):
    """Run a command as nobody with Wine's services running; return what it said."""
    environment = {"HOME": "/tmp", "TCPSTATE_PLUGIN": PLUGIN, "TCPSTATE_LIMIT_S": "300",  # not optimised
                   "TCPSTATE_TSHARK": f"{project}/tests/wine/tshark", "TCPSTATE_SHARKD": f"{project}/tests/wine/sharkd"}
    return root.run([*roots.AS_NOBODY, f"{project}/tests/wine/with-wine", *command], project, environment, RUN_LIMIT_S)


def prepare():
    root = package.tools()
    build_wireshark(root)
    build_plugin(root)
    build_stand_ins(root)
    make_prefix(root)
    print(f"Wireshark {SERIES} for Windows and the plugin are in {root.folder}")


def run(script, *words):
    root = package.tools()
    if not all(root.path(there).exists() for there in (f"{WIRESHARK}/bin/tshark.exe", PLUGIN, f"{PREFIX}/made")):
        raise roots.Unavailable("there is no Wireshark for Windows: see the test windows.wireshark")
    with root.scratch() as folder:
        project = f"{folder}/project"
        root.copy_project(project)
        for name in "tshark", "sharkd":
            root.path(f"{project}/tests/wine/{name}").symlink_to("program")
        print(inside(root, project, ["python3", "-B", f"tests/{script}", *words]))


def test():
    what, *words = sys.argv[1:]
    {"prepare": prepare, "run": run}[what](*words)


if __name__ == "__main__":
    roots.main(test)
