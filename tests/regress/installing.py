#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build in a folder with an awkward name, install for all and for one user, and remove again.

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
        return [path for path in folder.rglob("*") if not path.is_dir()]

    def test_for_all(self):
        self.cmake("--install", self.build)
        installed = self.files(self.root)
        self.assertEqual([path.name for path in installed], ["tcpstate.so"])
        self.assertEqual(installed[0].parent.name, "epan")
        self.assertIn("wireshark/plugins/", str(installed[0]))
        self.cmake("--build", self.build, "--target", "uninstall")
        self.assertEqual(self.files(self.root), [])

    def test_for_the_user(self):
        self.cmake("--build", self.build, "--target", "install-user")
        installed = self.files(self.home)
        self.assertEqual([path.name for path in installed], ["tcpstate.so"])
        self.assertRegex(str(installed[0].relative_to(self.home)),
                         r"^\.local/lib/wireshark/plugins/\d+\.\d+/epan/tcpstate\.so$")
        self.cmake("--build", self.build, "--target", "uninstall-user")
        self.assertEqual(self.files(self.home), [])


if __name__ == "__main__":
    sys.exit(unittest.main())
