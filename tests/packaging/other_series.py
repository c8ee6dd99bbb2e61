#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin built for one series, put where another looks: Wireshark refuses it, says so, and goes on.

usage: other_series.py
"""

import re
import shutil
from contextlib import ExitStack

import roots

CAPTURE = roots.PROJECT / "test-captures/client-closes-first.pcap"
# The library that the plugin needs is the first thing that another series lacks.
NO_LIBRARY = (r"Couldn't load plugin 'tcpstate\.so': "
              r"lib\w+\.so\.\d+: cannot open shared object file: No such file or directory\n")
# Where the libraries are there, as on a system in the middle of an upgrade, Wireshark compares versions.
COMPILED_FOR = r"The plugin 'tcpstate\.so' was compiled for Wireshark version {}\n"


class Seat:
    """A home folder of nobody's in a root, where tshark looks for the plugin."""

    def __init__(self, root, series, folder):
        self._root, self._folder, self._series = root, folder, series
        home = root.path(folder)
        self._plugins = home / ".local/lib/wireshark/plugins" / series / "epan"
        self._plugins.mkdir(parents=True)
        shutil.copy(CAPTURE, home)
        root.run(["chmod", "--recursive", "a+rX", folder])
        self._plain = self._look()

    def _look(self, plugin=None):
        """What tshark says of a capture, with a plugin in place or none."""
        seated = self._plugins / "tcpstate.so"
        seated.unlink(missing_ok=True)
        if plugin:
            shutil.copyfile(plugin, seated)
            seated.chmod(0o644)
        return self._root.run([*roots.AS_NOBODY, "tshark", "-r", f"{self._folder}/{CAPTURE.name}"],
                              variables={"HOME": self._folder})

    def check_refusal(self, plugin, message):
        """Fail unless all that a plugin changes is that tshark says message."""
        said = self._look(plugin)
        complaint = re.search(f"^.*{message}", said, re.MULTILINE)
        if not complaint or said.replace(complaint[0], "") != self._plain:
            raise roots.Failure(f"Wireshark {self._series} does not just say {message!r}:\n{said[:1000]}")
        print(f"{self._series}: {complaint[0]}", end="")


class Project:
    """The project's copy in a root, and the plugin built from it."""

    def __init__(self, root, folder):
        self._root, self._folder = root, folder
        root.copy_project(folder)
        root.run(["cmake/build"], folder, installs=True)

    def build(self, minor=None):
        """Build the plugin, with minor for one that claims to be built for 4.minor; return the file's path."""
        if minor is not None:
            source = self._root.path(f"{self._folder}/plugin/plugin.c")
            lie = source.read_text().replace("= WIRESHARK_VERSION_MINOR", f"= {minor}")
            if f"plugin_want_minor = {minor};" not in lie:
                raise roots.Failure("plugin.c tells its version in a way that this test does not know")
            source.write_text(lie)
            self._root.run(["cmake", "--build", "--preset", "release"], self._folder)
        return self._root.path(f"{self._folder}/build/release/plugin/tcpstate.so")


def available():
    """The roots that can be had, by series."""
    found = {}
    for series in roots.SUITES:
        try:
            found[series] = roots.prepared(series)
        except roots.Unavailable as reason:
            if series != roots.UNSTABLE:
                raise
            print(f"without {series}: {reason}")
    return found


def test():
    with ExitStack() as stack:
        seats, projects, plugins = {}, {}, {}
        for series, root in available().items():
            folder = stack.enter_context(root.scratch())
            seats[series] = Seat(root, series, folder)
            projects[series] = Project(root, f"{folder}/project")
            plugins[series] = projects[series].build()
        for series, seat in seats.items():
            for other, plugin in plugins.items():
                if other != series:
                    seat.check_refusal(plugin, NO_LIBRARY)
        for series, seat in seats.items():
            seat.check_refusal(projects[series].build(minor=2), COMPILED_FOR.format(r"4\.2"))


if __name__ == "__main__":
    roots.main(test)
