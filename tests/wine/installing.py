#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package for Windows, unpacked in a folder whose name has blanks, an ampersand and letters beyond ASCII:
install.cmd, tshark.exe with the plugin and the profile on a capture in that folder, remove.cmd, which leaves what is not
ours.

Run inside by wine.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "cmake/windows"))
import package  # noqa: E402 (needs the path)

SERIES = "4.0"
TSHARK = "/opt/wireshark/bin/tshark.exe"
CAPTURE = PROJECT / "test-captures/client-closes-first.pcap"
ANSWER = ["8\tCLOSE_WAIT", "9\tCLOSE_WAIT"]
TIME_LIMIT_S = 120


def wine(*command):
    """Run a Windows program; return its exit status and the lines that it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WIRESHARK")}
    done = subprocess.run(["wine", *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=TIME_LIMIT_S, env=environment)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "").splitlines()


class Installing(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "Ordner für “Müller & Söhne”"
        self.folder.mkdir()
        archive = package.pack(SERIES, Path(os.environ["TCPSTATE_PLUGIN"]), self.folder)
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(self.folder)
        self.unpacked = self.folder / archive.stem
        users = Path(os.environ["WINEPREFIX"]) / "drive_c/users"
        self.settings, = (user / "AppData/Roaming/Wireshark" for user in users.iterdir() if user.name != "Public")
        shutil.rmtree(self.settings, ignore_errors=True)  # of a run that was cut short
        self.addCleanup(shutil.rmtree, self.settings)

    def installed(self):
        return {path.relative_to(self.settings).as_posix() for path in self.settings.rglob("*") if path.is_file()}

    def run_script(self, name):
        rc, said = wine("Z:" + str(self.unpacked / name).replace("/", "\\"))
        self.assertEqual(rc, 0, said)

    def test_install_use_remove(self):
        (self.settings / "profiles/TCP State").mkdir(parents=True)
        theirs = self.settings / "profiles/TCP State/cfilters"
        theirs.write_text('"mine" tcp\n')
        self.run_script("install.cmd")
        packed = {path.relative_to(self.unpacked).as_posix() for path in self.unpacked.rglob("*") if path.is_file()}
        self.assertEqual(self.installed(), {name for name in packed if "/" in name} | {"profiles/TCP State/cfilters"})

        rc, listed = wine(TSHARK, "-G", "plugins")
        self.assertEqual(rc, 0)
        self.assertTrue(any(line.startswith("tcpstate.dll") and package.version() in line for line in listed), listed)
        capture = self.folder / "Aufzeichnung – schließt zuerst.pcap"
        shutil.copy(CAPTURE, capture)
        rc, said = wine(TSHARK, "-C", "TCP State", "-r", capture, "-Y", "tcpstate.remote==CLOSE_WAIT", "-T", "fields",
                        "-e", "frame.number", "-e", "tcpstate.remote.str")
        self.assertEqual((rc, said), (0, ANSWER))

        self.run_script("remove.cmd")
        self.assertEqual(self.installed(), {"profiles/TCP State/cfilters"})
        theirs.unlink()
        self.run_script("install.cmd")
        self.run_script("remove.cmd")
        self.assertEqual(self.installed(), set())
        self.assertFalse((self.settings / "profiles/TCP State").exists())
        self.assertFalse((self.settings / "plugins" / SERIES).exists())
        rc, said = wine(TSHARK, "-r", capture, "-Y", "tcpstate")
        self.assertNotEqual(rc, 0, "removed, but there are its fields")


if __name__ == "__main__":
    unittest.main()
