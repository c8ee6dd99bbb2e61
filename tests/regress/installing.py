#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build in a folder whose name has blanks, quotes and an apostrophe, install for all and for one user, and remove.

Nothing outside a temporary folder is touched: DESTDIR and HOME lead there. TCPSTATE_CMAKE names
the cmake to run (default: the one in PATH).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PROFILE = ["colorfilters", "dfilter_buttons", "io_graphs", "preferences"]
PROGRAMS = ["tcpstate-merge", "tcpstate-split"]
SCHEMA = "connection.schema.json"
CMAKE = os.environ.get("TCPSTATE_CMAKE", "cmake")
TIME_LIMIT_S = 200


class Installing(unittest.TestCase):
    """One build, installed and removed in both ways."""

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
        cls.home, cls.root = folder / "home", folder / "root"
        cls.source, cls.build = folder / "it's a “folder”", folder / "it's built"
        for part in "plugin", "cmake":
            shutil.copytree(PROJECT / part, cls.source / part)
        shutil.copy(PROJECT / "CMakeLists.txt", cls.source)
        cls.environment = os.environ | {"HOME": str(cls.home), "DESTDIR": str(cls.root)}
        cls.environment.pop("XDG_CONFIG_HOME", None)
        cls.environment.pop("LD_PRELOAD", None)  # a sanitizer's, meant for tshark
        cls.cmake("-S", cls.source, "-B", cls.build, "-G", "Ninja", "-DBUILD_TESTING=OFF")
        cls.cmake("--build", cls.build)

    @classmethod
    def cmake(cls, *arguments):
        done = subprocess.run([CMAKE, *map(str, arguments)], env=cls.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIME_LIMIT_S)
        if done.returncode != 0:
            raise AssertionError(f"cmake {arguments}:\n{done.stdout}")

    @staticmethod
    def files(folder):
        return sorted(path for path in folder.rglob("*") if not path.is_dir())

    def installed(self, folder):
        """The plugin; the folders of the profile, of which all files must be there, and of the programs; the schema."""
        files = self.files(folder)
        plugin, = (path for path in files if path.suffix == ".so")
        schema, = (path for path in files if path.name == SCHEMA)
        programs = [path for path in files if path.parent.name == "bin"]
        self.assertEqual([path.name for path in programs], PROGRAMS)
        for path in programs:
            told = subprocess.run([path, "--help"], capture_output=True, text=True, check=True, timeout=TIME_LIMIT_S)
            self.assertIn(f"usage: {path.name} ", told.stdout)
        manual = [path for path in files if path.parent.name == "man1"]
        others = [path for path in files if path not in [plugin, schema, *programs, *manual]]
        self.assertEqual([path.name for path in others], PROFILE)
        profile, = {path.parent for path in others}
        for name in PROFILE:
            self.assertEqual((profile / name).read_bytes(),
                             (PROJECT / "plugin/profile" / name).read_bytes())
        self.assertEqual(schema.read_bytes(), (PROJECT / "plugin/views" / SCHEMA).read_bytes())
        return plugin, profile, schema, programs[0].parent, [path.name for path in manual]

    def test_for_all(self):
        self.cmake("--install", self.build)
        plugin, profile, schema, programs, manual = self.installed(self.root)
        self.assertRegex(str(plugin), r"/wireshark/plugins/.*/epan/tcpstate\.so$")
        self.assertRegex(str(profile), r"/share/wireshark/profiles/TCP State$")
        self.assertRegex(str(schema), rf"/share/wireshark/tcpstate/{SCHEMA}$")
        self.assertEqual(manual, [f"{name}.1" for name in PROGRAMS])
        self.assertTrue(programs.is_relative_to(self.root))
        self.cmake("--build", self.build, "--target", "uninstall")
        self.assertEqual(self.files(self.root), [])
        self.assertFalse(profile.exists() or schema.parent.exists())

    def test_for_the_user(self):
        self.cmake("--build", self.build, "--target", "install-user")
        plugin, profile, schema, programs, _ = self.installed(self.home)
        self.assertRegex(str(plugin.relative_to(self.home)),
                         r"^\.local/lib/wireshark/plugins/\d+\.\d+/epan/tcpstate\.so$")
        self.assertEqual(profile, self.home / ".config/wireshark/profiles/TCP State")
        self.assertEqual(schema, self.home / ".config/wireshark/tcpstate" / SCHEMA)
        self.assertEqual(programs, self.home / ".local/bin")
        self.cmake("--build", self.build, "--target", "uninstall-user")
        self.assertEqual(self.files(self.home), [])
        self.assertFalse(profile.exists() or schema.parent.exists())

    def test_what_the_user_added_stays(self):
        self.cmake("--build", self.build, "--target", "install-user")
        own = self.home / ".config/wireshark/profiles/TCP State/recent"
        own.write_text("the user's\n")
        self.cmake("--build", self.build, "--target", "uninstall-user")
        self.assertEqual(self.files(self.home), [own])
        own.unlink()


if __name__ == "__main__":
    sys.exit(unittest.main())
