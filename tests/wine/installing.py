#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package for Windows, unpacked in a folder whose name has blanks, an ampersand and letters beyond ASCII, for a user
whose folder has such a name: install.cmd, tshark.exe with the plugin and the profile on a capture in that folder,
remove.cmd, which leaves what is not ours; over an older plugin; while the plugin is in use.

Run inside by wine.py.
"""

import json
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
SHARKD = "/opt/wireshark/bin/sharkd.exe"
CAPTURE = PROJECT / "test-captures/client-closes-first.pcap"
ANSWER = ["8\tCLOSE_WAIT", "9\tCLOSE_WAIT"]
TIME_LIMIT_S = 120
USER = r"C:\users\Zoë & “Jörg” (2) 99% ok\AppData\Roaming"
# Where Windows, and Wine, keep a user's own environment.
VOLATILE = r"HKCU\Volatile Environment"


def wine(*command):
    """Run a Windows program; return its exit status and the lines that it said."""
    done = subprocess.run(["wine", *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=TIME_LIMIT_S)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "").splitlines()


def set_application_data(folder):
    """What %APPDATA% is for programs that are started from now on."""
    rc, said = wine("reg", "add", VOLATILE, "/v", "APPDATA", "/d", folder, "/f")
    if rc != 0:
        raise AssertionError(said)


class Installing(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "Ordner für “Müller & Söhne”"
        self.folder.mkdir()
        archive = package.pack(SERIES, Path(os.environ["TCPSTATE_PLUGIN"]), self.folder)
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(self.folder)
        self.unpacked = self.folder / archive.stem
        drive = Path(os.environ["WINEPREFIX"]) / "drive_c"
        usual, = (f"C:\\users\\{user.name}\\AppData\\Roaming" for user in (drive / "users").iterdir()
                  if user.name != "Public" and (user / "AppData").is_dir())
        set_application_data(USER)
        self.addCleanup(set_application_data, usual)
        data = drive / USER.removeprefix("C:\\").replace("\\", "/")
        shutil.rmtree(data.parents[1], ignore_errors=True)  # of a run that was cut short
        data.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, data.parents[1])
        self.settings = data / "Wireshark"
        self.plugin = self.settings / "plugins" / SERIES / "epan/tcpstate.dll"

    def installed(self):
        return {path.relative_to(self.settings).as_posix() for path in self.settings.rglob("*") if path.is_file()}

    def run_script(self, name, status=0, folder=None):
        rc, said = wine("Z:" + str((folder or self.unpacked) / name).replace("/", "\\"))
        self.assertEqual(rc, status, said)
        return "\n".join(said)

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
        for ours in "profiles/TCP State", f"plugins/{SERIES}", "tcpstate":
            self.assertFalse((self.settings / ours).exists(), ours)
        rc, said = wine(TSHARK, "-r", capture, "-Y", "tcpstate")
        self.assertNotEqual(rc, 0, "removed, but there are its fields")

    def test_over_an_older_one(self):
        """Plugin and profile are the new ones, though the old are newer by their dates."""
        profile = self.settings / "profiles/TCP State/preferences"
        for old in self.plugin, profile:
            old.parent.mkdir(parents=True)
            old.write_text("old")
        self.run_script("install.cmd")
        for new in self.plugin, profile:
            packed = self.unpacked / new.relative_to(self.settings)
            self.assertEqual(new.read_bytes(), packed.read_bytes())

    def test_while_the_plugin_is_in_use(self):
        """It stays as it is, and the user is told why."""
        self.run_script("install.cmd")
        before = self.installed()
        running = self.enterContext(subprocess.Popen(["wine", SHARKD, "-"], stdin=subprocess.PIPE,
                                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        self.addCleanup(running.kill)
        running.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')
        running.stdin.flush()
        self.assertIn("result", json.loads(running.stdout.readline()))
        for name, told in ("install.cmd", "Not installed."), ("remove.cmd", "Not removed."):
            said = self.run_script(name, status=1)
            self.assertRegex(said, f"(?m)^{told} .*close Wireshark|^{told} Close Wireshark")
        self.assertEqual(self.installed(), before)
        running.stdin.close()
        running.wait(TIME_LIMIT_S)
        self.run_script("install.cmd")
        self.run_script("remove.cmd")
        self.assertEqual(self.installed(), set())

    def test_not_unpacked(self):
        """As Explorer starts a file that it shows within the zip: alone."""
        alone = self.folder / "Temp1"
        alone.mkdir()
        shutil.copy(self.unpacked / "install.cmd", alone)
        self.assertIn("Not installed. Unpack all files first", self.run_script("install.cmd", status=1, folder=alone))
        self.assertEqual(self.installed(), set())


if __name__ == "__main__":
    unittest.main()
