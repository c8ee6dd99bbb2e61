# SPDX-License-Identifier: GPL-2.0-or-later
"""Wireshark on a virtual screen.

    with Tshark() as tshark, Desktop(tshark) as desktop, Wireshark(desktop, capture) as wireshark:
        wireshark.menu("Statistics", "Flow Graph")
        print(wireshark.window("Flow").all("push button"))

Nothing sleeps for a fixed time: what must come is waited for, LIMIT_S at most. At the end Wireshark is told to
quit, and must do so in order and without a word on stderr.
"""

import os
import re
import tempfile
import time
from pathlib import Path

from desktop import LIMIT_S, Failure, end, wireshark_program

TITLE_PX = 24  # what the window manager puts around a window, at least


class Wireshark:
    """A Wireshark with a capture open; main is the title of its main window, which fills the screen."""

    usual = frozenset()  # what it says on stderr without the plugin, too: see learn_usual()
    # Qt says these when a window has just closed about which it asks the screen, or is asked by the reader.
    _TOO_LATE = re.compile(r".*(QXcbConnection: XCB error|Could not find accessible on path|"
                           r"invalid interface on path): .*")

    def __init__(self, desktop, capture, profile=None, tshark=None, display_filter=""):
        """tshark: whose home and plugin it uses, if not the desktop's. To read a long list of packets takes minutes."""
        self.desktop = desktop
        self._tshark = tshark or desktop.tshark
        self.capture = self._tshark.readable(capture)
        self.main = self.capture.name
        self._options = [*(["-C", profile] if profile else []), *(["-Y", display_filter] if display_filter else [])]

    def __enter__(self):
        self._said = tempfile.TemporaryFile()
        self.process = self._tshark.start([wireshark_program(), *self._options, "-r", self.capture],
                                          self.desktop.environment, stdout=self._said, stderr=self._said)
        try:
            self.wait("the capture", self.packets)
            self.place(self.main, 0, 0, self.desktop.width - 4, self.desktop.height - TITLE_PX - 4)
        except BaseException as error:
            self.__exit__(type(error))
            raise
        return self

    def __exit__(self, failure=None, *unused):
        try:
            if failure is None:
                if self.process.poll() is None:
                    self.quit()
                self._check_end()
            else:
                self._leave_picture()
        finally:
            end(self.process)
            self._said.close()

    def _leave_picture(self):
        """Keep the screen of a failure in the folder $TCPSTATE_PICTURES."""
        folder = os.environ.get("TCPSTATE_PICTURES")
        if folder:
            (Path(folder) / f"{time.monotonic_ns()}.png").write_bytes(self.desktop.picture())

    def said(self):
        """The lines of stderr and stdout so far that are news, with N for each number."""
        self._said.seek(0)
        lines = re.sub(r"0x[0-9a-f]+|\d+", "N", self._said.read().decode(errors="replace")).splitlines()
        return [line for line in lines if line not in self.usual and not self._TOO_LATE.fullmatch(line)]

    def quit(self):
        """File > Quit."""
        self.menu("File", "Quit")
        deadline = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)

    def _check_end(self):
        """It has quit, without a crash, and nothing said."""
        if self.process.poll() != 0 or self.said():
            raise Failure(f"Wireshark ended with {self.process.poll()} and said {self.said()}")

    def wait(self, what, condition):
        """Wait until condition() answers something true; return that."""
        deadline = time.monotonic() + LIMIT_S
        while not (found := condition()):
            if self.process.poll() is not None:
                raise Failure(f"Wireshark ended, status {self.process.poll()}, and not: {what}; {self.said()}")
            if time.monotonic() > deadline:
                raise Failure(f"not within {LIMIT_S} s: {what}; windows: {self.desktop.windows()}")
            time.sleep(0.05)
        return found

    def expect(self, expected, look, what):
        """Wait until look() is what is expected."""
        last = []

        def fits():
            last[:] = [look()]
            return last[0] == expected
        try:
            self.wait(what, fits)
        except Failure as error:
            raise Failure(f"{error}\nexpected {expected}\nthere is {last}") from None

    # ---------------------------------------------------------------- windows

    def title(self, part):
        """The whole title of the window with part in it; waits for it."""
        return self.wait(f"a window {part}",
                         lambda: next((title for title in self.desktop.windows() if part in title), None))

    def window(self, part):
        """The window with part in its title, a Node; waits for it."""
        return self.wait(f"a window {part}", lambda: self.desktop.read(self.title(part)))

    def place(self, part, x, y, width, height):
        """Move a window and give it a size, in pixels, its frame apart."""
        self.wait(f"{part} on the screen", lambda: self.desktop.place(self.title(part), x, y, width, height))

    def find(self, part, role, name=None):
        """A node of such a window; waits for it."""
        return self.wait(f"{role} {name} in {part}", lambda: self.window(part).one(role, name))

    def gone(self, part):
        """Wait until no window has part in its title."""
        self.wait(f"the end of the window {part}",
                  lambda: not any(part in title for title in self.desktop.windows()))

    def click(self, part, role, name, times=1):
        """Click on a node of a window once it is there, stays in its place, and can be used."""
        def look():
            node = self.window(part).one(role, name)
            again = self.window(part).one(role, name)
            return node if node and again and "enabled" in node.states and node.box == again.box else None
        self.desktop.click(self.wait(f"{role} {name} in {part}", look), times)

    def write(self, part, name, text):
        """Replace what stands in an input field of a window."""
        self.click(part, "text", name)
        self.desktop.keys("ctrl+a", "Delete")
        self.desktop.type(text)
        self.wait(f"{text} in {name!r} of {part}",
                  lambda: any(node.text == text for node in self.window(part).all("text", name)))

    def pick(self, part, label, value):
        """Choose from the list that stands beside a label in a window."""
        def beside():
            where = self.window(part).one("label", label)
            boxes = self.window(part).all("combo box")
            return where and next((box for box in boxes if abs(box.box[1] - where.box[1]) < 8
                                   and box.box[0] > where.box[0]), None)
        self.desktop.click(self.wait(f"a list {label} in {part}", beside))
        self.wait(f"{value} to choose", lambda: any("selected" in item.states or "focused" in item.states
                                                    for item in beside().all("list item")))
        self.desktop.type(value)
        self.wait(f"{value} to be chosen", lambda: beside().name == value or any(
            "selected" in item.states for item in beside().all("list item", value)))
        self.desktop.keys("Return")
        self.wait(f"{label} to be {value}", lambda: beside().name == value)

    def menu(self, *path):
        """Choose an item of the main window's menus."""
        if not self.wait(f"the menus for {path}", lambda: self.desktop.choose(self.main, path) is not None):
            raise Failure(f"no menu item {path}")

    # ---------------------------------------------------------------- the main window

    def packets(self):
        """(packets of the capture, packets displayed), as the status bar says; None while it says nothing."""
        main = self.desktop.read(self.main)
        label = main and main.one("label", re.compile("Packets: .*"))
        found = label and re.match(r"Packets: (\d+)(?: · Displayed: (\d+))?", label.name)
        return found and (int(found[1]), int(found[2] or found[1]))

    def columns(self):
        """The titles of the packet list's columns."""
        return [head.name for head in self.window(self.main).one("tree", "Packet list").all("column header")]

    def rows(self):
        """The rows of the packet list that show: lists of texts."""
        return self.window(self.main).one("tree", "Packet list").texts()

    def filter(self, text):
        """Type a display filter and apply it."""
        self.write(self.main, "Display filter entry", text)
        self.desktop.keys("Return")

    def select(self, frame):
        """Select a packet that shows."""
        self.click(self.main, "tree item", str(frame))
        self.wait(f"details of frame {frame}", lambda: self.details()
                  and self.details()[0].startswith(f"Frame {frame}:"))

    def details(self):
        """The lines of the packet's details that show."""
        tree = self.window(self.main).one("tree", "Packet details")
        return [cell.name for cell in tree.all("tree item")] if tree else []

    def detail(self, start):
        """The line of the details that starts so, a Node; waits for it."""
        return self.wait(f"a line {start}", lambda: next(
            (cell for cell in self.window(self.main).one("tree", "Packet details").all("tree item")
             if cell.name.startswith(start)), None))

    def expand(self, start):
        """Open the line of the details that starts so, with all below it."""
        self.desktop.click(self.detail(start))
        self.wait(f"selection of {start}", lambda: "selected" in self.detail(start).states)
        self.desktop.keys("shift+Right")
        self.wait(f"lines below {start}", lambda: "expanded" in self.detail(start).states)

    def profile(self):
        label = self.window(self.main).one("label", re.compile("Profile: .*"))
        return label.name.removeprefix("Profile: ") if label else ""


def learn_usual(desktop, capture, stock):
    """What this machine's Wireshark says without the plugin, stock, counts as usual from now on."""
    with Wireshark(desktop, capture, tshark=stock) as wireshark:
        wireshark.quit()
        Wireshark.usual = frozenset(wireshark.said())
