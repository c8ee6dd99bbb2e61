#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of one series, in a clean Debian: made, installed, upgraded, used, removed.

usage: packages.py SERIES
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import roots
from reproducible import PLACES, check_same, command, made, version

# The library that has the dissectors: its number is bound to one series.
LIBRARIES = {"4.0": "libwireshark16", "4.4": "libwireshark18", "4.6": "libwireshark19"}
PACKAGE = "wireshark-tcpstate"
OLDER = "0.0.9"
CAPTURE = "client-closes-first.pcap"
QUESTION = ["-Y", "tcpstate.remote==CLOSE_WAIT", "-T", "fields",
            "-e", "frame.number", "-e", "tcpstate.remote.str"]
ANSWER = "8\tCLOSE_WAIT\n9\tCLOSE_WAIT\n"
# What a package manager keeps for itself: logs, caches, a data base with its copies, the linker's cache.
BOOKKEEPING = re.compile(r"/(tmp|proc|sys|dev)/|/var/(log|cache|lib/apt)/|/etc/ld\.so\.cache$|"
                         r"/var/lib/dpkg/(available|lock|status|triggers/)")
# The first package of a project closes no bug of Debian's: this is none of Debian's.
NOT_FOR_US = "initial-upload-closes-no-bugs"


def check(condition, problem):
    if not condition:
        raise roots.Failure(problem)


class System:
    """A Debian on which packages are tried."""

    def __init__(self, root):
        self.root = root
        self.bring(roots.PROJECT / "test-captures" / CAPTURE)

    def bring(self, path):
        """Copy a file into the system, for all to read; return its name there."""
        inside = f"/tmp/{path.name}"
        shutil.copyfile(path, self.root.path(inside))
        self.root.path(inside).chmod(0o644)
        return inside

    def apt(self, *words):
        return self.root.run([*roots.APT, *words])

    def files(self):
        """What is there: path to digest, or to a link's target, or to "" of a folder."""
        found = {}
        for folder, folders, names in os.walk(self.root.folder):
            for name in folders + names:
                path = Path(folder, name)
                inside = f"/{path.relative_to(self.root.folder)}"
                if BOOKKEEPING.match(inside):
                    continue
                if path.is_symlink():
                    found[inside] = os.readlink(path)
                else:
                    found[inside] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        return found

    def loaded(self):
        """The version of the plugin that tshark lists, None without it."""
        listed = self.root.run(["tshark", "-G", "plugins"])
        line = re.search(r"^tcpstate\.so *\t(\S+)\tdissector\t", listed, re.MULTILINE)
        check(line or "tcpstate" not in listed, f"what is this of tcpstate?\n{listed}")
        return line and line[1]

    def check_use(self):
        """Do the main job as a user would, who is not root."""
        said = self.root.run([*roots.AS_NOBODY, "tshark", "-r", f"/tmp/{CAPTURE}", *QUESTION],
                             variables={"HOME": "/nonexistent"})
        check("tcpstate" not in said, f"tshark complains:\n{said}")
        answer = "".join(line for line in said.splitlines(True) if re.match(r"\d+\t", line))
        check(answer == ANSWER, f"the answer is not {ANSWER!r}:\n{said}")
        said = self.root.run(["sh", "-c", f"rm -rf /tmp/parts && tcpstate-split 2 /tmp/{CAPTURE} /tmp/parts"])
        check(said == "11 frames in 2 parts\n", f"tcpstate-split says:\n{said}")


def make_packages(builder, folder):
    """Make the packages in two places of a new folder, and an older version; return all three's projects."""
    projects = {place: f"{folder}/{place}" for place in [*PLACES, "older"]}
    for place, project in projects.items():
        builder.copy_project(project)
        if place == "older":
            recipe = builder.path(f"{project}/CMakeLists.txt")
            recipe.write_text(recipe.read_text().replace(f"VERSION {version()}", f"VERSION {OLDER}", 1))
            builder.run(["cmake/package"], project, installs=True)
        else:
            builder.run(command(place), project, {"TZ": PLACES[place]["TZ"]}, installs=True)
    return [builder.path(project) for project in projects.values()]


def check_package(package, series):
    """What can be told of a package without installing it."""
    told = subprocess.run(["dpkg-deb", "--show", "--showformat=${Depends}", package],
                          capture_output=True, text=True, check=True, timeout=60).stdout
    libraries = re.findall(r"\blibwireshark\w+", told)
    check(libraries == [LIBRARIES[series]], f"depends on {libraries}, not on {LIBRARIES[series]} alone")
    listed = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True,
                            check=True, timeout=60).stdout
    check(f"/wireshark/plugins/{series}/epan/tcpstate.so\n" in listed, f"no plugin in {package}:\n{listed}")
    for program in ("tcpstate-split", "tcpstate-merge"):
        check(re.search(rf"^-rwxr-xr-x .* ./usr/bin/{program}$", listed, re.MULTILINE),
              f"no {program} in {package}:\n{listed}")
    if shutil.which("lintian"):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning",
                               f"--suppress-tags={NOT_FOR_US}", package],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        check(done.returncode == 0, f"lintian:\n{done.stdout}")
    else:
        print("lintian is not installed: the package was not held against Debian's policy")


def of_earlier_series(package, series, folder):
    """Make from a package the one of an earlier series, as the system would have before an upgrade of Debian."""
    earlier = {"4.0": "3.6", "4.4": "4.2", "4.6": "4.4"}[series]
    tree = folder / "earlier"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True, timeout=60)
    plugins, = tree.glob("usr/lib/*/wireshark/plugins")
    (plugins / series).rename(plugins / earlier)
    control = tree / "DEBIAN/control"
    told = control.read_text().replace(f"+ws{series}", f"+ws{earlier}")
    control.write_text(re.sub(r"(?m)^Depends:.*\n", "", told))
    made_of = folder / f"{earlier}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, made_of], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    return made_of


def try_package(system, older, earlier, package):
    """Install, upgrade, use and remove; the system is then as it was before."""
    planned = system.apt("install", "--simulate", system.bring(package))
    check(re.search(r"^Inst tshark ", planned, re.MULTILINE), f"brings no tshark:\n{planned}")
    system.root.install("tshark")
    before = system.files()

    system.apt("install", system.bring(older))
    check(system.loaded() == OLDER, f"{system.loaded()} is loaded, not {OLDER}")
    system.apt("install", system.bring(earlier))
    check(system.loaded() is None, "a package of an earlier series leaves the older plugin behind")
    system.apt("install", system.bring(package))
    check(system.loaded() == version(), f"{system.loaded()} is loaded, not {version()}")
    system.check_use()
    system.root.run(["dpkg", "--verify", PACKAGE])
    after = system.files()
    owned = set(system.root.run(["dpkg-query", "--listfiles", PACKAGE]).splitlines())
    strange = {path for path, content in after.items()
               if before.get(path) != content and path not in owned
               and not path.startswith(f"/var/lib/dpkg/info/{PACKAGE}.")}
    check(not strange, f"changed, and not by the package's own files: {strange}")
    check(owned & after.keys() - before.keys(), "installs nothing")

    system.apt("purge", PACKAGE)
    left = {path for path, _ in set(system.files().items()) ^ set(before.items())}
    check(not left, f"removed, but these differ from before: {left}")
    check(system.loaded() is None, "removed, but tshark lists it")


def try_archive(system, archive):
    """Unpack, use and delete."""
    inside = system.bring(archive)
    system.root.run(["tar", "--extract", "--gzip", "--directory=/", f"--file={inside}"])
    check(system.loaded() == version(), "the archive's plugin is not loaded")
    system.check_use()
    system.root.run(["sh", "-c", f"tar --list --gzip --file={inside} | grep -v '/$' | tr '\\n' '\\0' | "
                                 "(cd / && xargs -0 rm)"])
    check(system.loaded() is None, "deleted, but tshark lists it")


def try_project(system):
    """Do what README.md tells a newcomer to: one command, on a Debian that has nothing but tshark."""
    system.root.copy_project("/tmp/newcomer")
    said = system.root.run(["cmake/try"], "/tmp/newcomer", installs=True)
    check(len(re.findall(r"^ +[89] .* FIN_WAIT_[12]\?? +CLOSE_WAIT\??$", said, re.MULTILINE)) == 4,
          f"cmake/try does not show both segments twice:\n{said}")
    check("in a browser: /tmp/newcomer/build/try.html" in said, f"cmake/try does not say where its page is:\n{said}")


def test():
    series = sys.argv[1]
    builder = roots.prepared(series)
    with builder.scratch() as folder, roots.clean_copy(series) as clean:
        *projects, older = make_packages(builder, folder)
        check_same(projects)
        _, package, archive = made(projects[0])
        check_package(package, series)
        system = System(clean)
        clean.run([*roots.APT, "update"], installs=True)
        try_package(system, made(older)[1], of_earlier_series(package, series, builder.path(folder)), package)
        try_archive(system, archive)
        try_project(system)
        print(f"{package.name}: installed, upgraded from {OLDER}, used and removed; cmake/try works")


if __name__ == "__main__":
    roots.main(test)
