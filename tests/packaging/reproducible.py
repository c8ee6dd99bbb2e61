#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages have the same bytes in any folder, time zone and umask; on this machine.

The version is told once, in CMakeLists.txt; the package, the change log and tshark agree with it.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import roots

sys.path.insert(0, str(roots.PROJECT / "tests"))
from tshark import Tshark  # noqa: E402 (needs the path)

# In which folders the packages are made, and with what that should not matter.
PLACES = {"here": {"umask": "022", "TZ": "UTC"},
          "some where/else": {"umask": "077", "TZ": "Asia/Tokyo"}}
TIME_LIMIT_S = 240


def version():
    """The project's version."""
    text = (roots.PROJECT / "CMakeLists.txt").read_text()
    return re.search(r"^project\(tcpstate VERSION ([0-9.]+)", text, re.MULTILINE)[1]


def command(place):
    """The words that make the packages in the current folder."""
    return ["sh", "-c", f"umask {PLACES[place]['umask']}; exec cmake/package"]


def made(project):
    """What that left behind, in no order: the plugin, the Debian package, the archive."""
    built = Path(project) / "build/release"
    package, = built.glob("*.deb")
    archive, = built.glob("*.tar.gz")
    return built / "plugin/tcpstate.so", package, archive


def check_same(projects):
    """Fail unless all projects' packages have the same names and bytes."""
    first, *others = [{path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made(project)}
                      for project in projects]
    for other in others:
        if other != first:
            raise roots.Failure(f"made twice, and differs:\n{first}\n{other}")


def without_tests(project):
    """Configure a build that leaves the tests out, which are in no package."""
    subprocess.run(["cmake", "--preset", "release", "-DBUILD_TESTING=OFF"], cwd=project, check=True,
                   stdout=subprocess.DEVNULL, timeout=TIME_LIMIT_S, env=roots.bare_environment())


def check_version():
    """Fail unless all that tell a version tell the same."""
    with Tshark() as tshark:
        listed = tshark.run(["-G", "plugins"]).stdout
    loaded = re.search(r"^tcpstate\.so *\t(\S+)\tdissector\t", listed, re.MULTILINE)
    if not loaded or loaded[1] != version():
        raise roots.Failure(f"tshark does not list tcpstate.so {version()}:\n{listed}")
    changes = (roots.PROJECT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+) - (unreleased|\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    if not newest or newest[1] != version():
        raise roots.Failure(f"CHANGELOG.md does not begin with {version()}")


def test():
    check_version()
    if not shutil.which("dpkg-shlibdeps"):
        raise roots.Unavailable("dpkg-shlibdeps, of dpkg-dev, is not installed")
    with tempfile.TemporaryDirectory(prefix="tcpstate-test-") as folder:
        projects = [Path(folder) / place for place in PLACES]
        for place, project in zip(PLACES, projects):
            roots.copy_project(project)
            without_tests(project)
            done = subprocess.run(command(place), cwd=project, text=True, timeout=TIME_LIMIT_S,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT,
                                  env=roots.bare_environment(TZ=PLACES[place]["TZ"]))
            if done.returncode != 0:
                raise roots.Failure(f"cmake/package in {project}:\n{done.stdout}")
        check_same(projects)


if __name__ == "__main__":
    roots.main(test)
