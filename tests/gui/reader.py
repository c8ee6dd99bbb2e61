#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the windows of this display as a screen reader does, over AT-SPI's D-Bus. Started by desktop.py.

A line of JSON on stdin asks, a line of JSON on stdout answers:

    {"ask": "windows"}                  the titles of all windows
    {"ask": "read", "window": TITLE}    what shows in a window: a node, or null without such a window
    {"ask": "menu", "window": TITLE, "path": [LABEL, …]}
                                        choose an item of the window's menu bar: whether there is one

A node is {"role", "name", "text", "states", "box", "children"}: text is what an input field holds, box its x, y,
width and height on the screen, in pixels. A window holds hundreds of parts, and each question about one is a message:
so they are sent many at a time, and a window that changes in between is read as null, to be read again.
"""

import json
import sys
from typing import NamedTuple

from gi.repository import Gio, GLib

REPLY_MS = 30000
MENU_MS = 3000  # an item that opens a modal dialog replies when that closes
_ATSPI = "org.a11y.atspi."
_STATES = {"checked": 4, "enabled": 8, "expanded": 10, "focused": 12, "selected": 23}
_SHOWING = 25
_ON_SCREEN = GLib.Variant("(u)", (0,))
_FIRST = GLib.Variant("(i)", (0,))
_ALL = GLib.Variant("(ii)", (0, -1))


class Changed(Exception):
    """A part went away while it was read."""


class Part(NamedTuple):
    """What AT-SPI calls an accessible: a connection to the bus, and a path there."""
    owner: str
    path: str


def bus():
    """A connection to the bus of the accessible programs."""
    session = Gio.bus_get_sync(Gio.BusType.SESSION, None)
    address, = session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None, None, 0,
                                 REPLY_MS, None).unpack()
    return Gio.DBusConnection.new_for_address_sync(
        address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
        None, None)


class Reader:
    """Asks the programs."""

    def __init__(self):
        self._bus = bus()
        self._loop = GLib.MainLoop()

    def _ask(self, parts, interface, method, arguments=None, limit_ms=REPLY_MS):
        """Call a method of all parts; a list of what each returns."""
        answers, left = [None] * len(parts), len(parts)

        def answered(_, result, number):
            nonlocal left
            try:
                answers[number] = self._bus.call_finish(result).unpack()
            except GLib.Error:
                pass
            left -= 1
            if not left:
                self._loop.quit()
        for number, part in enumerate(parts):
            self._bus.call(part.owner, part.path, interface, method, arguments, None, 0, limit_ms, None, answered,
                           number)
        if parts:
            self._loop.run()
        if None in answers:
            raise Changed
        return [answer[0] for answer in answers]

    def _accessible(self, parts, method):
        return self._ask(parts, _ATSPI + "Accessible", method)

    def _children(self, part):
        return self._children_of([part])[0]

    def _children_of(self, parts):
        """A list of children for each part, but for those that the program has not made yet."""
        return [[Part(*child) for child in children if not child[1].endswith("/null")]
                for children in self._accessible(parts, "GetChildren")]

    def _names(self, parts):
        return self._ask(parts, "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", (_ATSPI + "Accessible", "Name")))

    def _showing(self, parts):
        """Those of the parts that show, each with its states."""
        states = self._accessible(parts, "GetState")
        return [(part, [name for name, bit in _STATES.items() if words[0] >> bit & 1])
                for part, words in zip(parts, states, strict=True) if words[0] >> _SHOWING & 1]

    def windows(self):
        """{title: Part} of all windows of all programs."""
        root = Part(_ATSPI + "Registry", "/org/a11y/atspi/accessible/root")
        found = [window for program in self._children(root) for window in self._children(program)]
        found = [window for window, _ in self._showing(found)]
        return dict(zip(self._names(found), found, strict=True))

    def read(self, window):
        """The node of a window, level by level."""
        top = {"children": []}
        level = [(top, window)]
        while level:
            showing = self._showing([part for _, part in level])
            above = {part: node for node, part in level}
            parts = [part for part, _ in showing]
            nodes = [{"role": role, "name": name, "text": "", "states": states, "box": box, "children": []}
                     for role, name, (_, states), box in zip(
                         self._accessible(parts, "GetRoleName"), self._names(parts), showing,
                         self._ask(parts, _ATSPI + "Component", "GetExtents", _ON_SCREEN), strict=True)]
            fields = [(node, part) for node, part in zip(nodes, parts, strict=True) if node["role"] == "text"]
            for (node, _), text in zip(fields, self._ask([part for _, part in fields], _ATSPI + "Text", "GetText",
                                                         _ALL), strict=True):
                node["text"] = text
            for node, part in zip(nodes, parts, strict=True):
                above[part]["children"].append(node)
            level = [(node, child) for node, below in zip(nodes, self._children_of(parts), strict=True)
                     for child in below]
        return top["children"][0] if top["children"] else None

    def _items(self, menu):
        """{label: Part} of a menu or menu bar: Qt puts a popup menu between a menu and its items."""
        parts = self._children(menu)
        items = {}
        for part, role, name in zip(parts, self._accessible(parts, "GetRoleName"), self._names(parts), strict=True):
            items.update(self._items(part) if role == "popup menu" else {name: part})
        return items

    def choose(self, window, path):
        """Choose an item of a window's menu bar; False if there is none."""
        parts = self._children(window)
        roles = self._accessible(parts, "GetRoleName")
        place = parts[roles.index("menu bar")]
        for label in path:
            place = self._items(place).get(label)
            if place is None:
                return False
        try:
            self._ask([place], _ATSPI + "Action", "DoAction", _FIRST, MENU_MS)
        except Changed:
            pass  # no reply yet, or none at all after File > Quit
        return True

    def answer(self, question):
        windows = self.windows()
        if question["ask"] == "windows":
            return list(windows)
        window = windows.get(question["window"])
        if window is None:
            return None
        return self.read(window) if question["ask"] == "read" else self.choose(window, question["path"])


def main():
    reader = Reader()
    for line in sys.stdin:
        try:
            said = reader.answer(json.loads(line))
        except Changed:
            said = None
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
