# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Chromium, without a window, driven as a person would: by its own driver and python3-selenium."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

DEBIANS_PYTHON = "/usr/bin/python3"  # the one that Debian's selenium belongs to
SKIPPED = 77

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    if sys.executable != DEBIANS_PYTHON and Path(DEBIANS_PYTHON).exists():
        os.execv(DEBIANS_PYTHON, [DEBIANS_PYTHON, *sys.argv])
    print("skipped: python3-selenium is not installed")
    sys.exit(SKIPPED)

WIDE, DESK_AT_200, PHONE = 1400, 640, 320  # CSS pixels


def skip_if_missing():
    """Leaves with the status for skipped where there is no browser."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    if missing:
        print(f"skipped: not installed: {', '.join(missing)}")
        sys.exit(SKIPPED)


def axe_source(folder):
    """The source of axe-core, which npm fetches; None, after saying why, where it cannot be had."""
    if not shutil.which("npm"):
        print("npm is not installed")
        return None
    try:
        subprocess.run(["npm", "install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund",
                        "--ignore-scripts", "axe-core@4"], check=True, capture_output=True, timeout=60)
        return (Path(folder) / "node_modules/axe-core/axe.min.js").read_text()
    except (subprocess.SubprocessError, OSError) as why:
        print(f"npm cannot fetch axe-core: {why}")
        return None


class Browser:
    """One Chromium; its profile is thrown away with it."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update",
                         *(["--no-sandbox"] if os.getuid() == 0 else [])):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(120)
        self.driver.set_script_timeout(120)
        self.resize(WIDE)

    def close(self):
        self.driver.quit()

    def resize(self, width, height=1000):
        """The window's size in CSS pixels, below what a window of a desktop may have too."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features):
        """What the reader prefers: prefers_color_scheme="dark", prefers_reduced_motion="reduce"."""
        self.cdp("Emulation.setEmulatedMedia",
                 features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, path, fragment=""):
        """Opens a file anew; returns the addresses of all that was requested."""
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(f"{Path(path).as_uri()}{fragment}")
        return self.requests()

    def requests(self):
        """The addresses that were requested since the last call, answered or not."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What the console says: errors of scripts, and what the Content-Security-Policy forbade."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def js(self, script, *arguments):
        """Runs a script in the page; returns what it returns."""
        return self.driver.execute_script(script, *arguments)

    def keys(self, *names):
        """Presses keys, one after the other, wherever the focus is."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "PageDown": 34, "ArrowLeft": 37, "ArrowUp": 38,
                 "ArrowRight": 39, "ArrowDown": 40}
        for name in names:
            text = {"Enter": "\r", " ": " "}.get(name, "")
            key = {"key": name, "code": {" ": "Space"}.get(name, name), "windowsVirtualKeyCode": codes[name]}
            self.cdp("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **key)
            self.cdp("Input.dispatchKeyEvent", type="keyUp", **key)

    def picture(self, path):
        """A picture of what shows."""
        Path(path).write_bytes(base64.b64decode(self.cdp("Page.captureScreenshot")["data"]))
