#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The walls of plugin/: which folder may include what, and what no file may have.

    walls.py [PLUGIN-FOLDER]
"""

import re
import sys
from pathlib import Path

PLUGIN = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "plugin").resolve()
FOLDERS = {"machine": ("machine",), "dissector": ("machine", "dissector"), "views": ("machine", "dissector", "views"),
           "tools": ("tools", "dissector"), ".": ("machine", "dissector", "views")}
C_LIBRARY = {"assert.h", "errno.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
             "string.h"}
LONG, TOO_LONG = 600, 700
# plugin_want_major and _minor, which Wireshark's loader compares, are no test of a version.
TOLD = re.compile(r"\bplugin_want_(?:major|minor) = WIRESHARK_VERSION_(?:MAJOR|MINOR);")
VERSION = re.compile(r"\b(?:WIRESHARK_VERSION|VERSION_(?:MAJOR|MINOR|MICRO)\b)")
THROWS = re.compile(r"\b(?:TRY|CATCH\w*|FINALLY|ENDTRY|(?:sig)?(?:setjmp|longjmp))\b")
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def code(text):
    """The text without comments and string literals; includes keep theirs."""
    def blank(match):
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        return match[0] if re.fullmatch(r"\s*#\s*include\s*", line) else " "
    return COMMENT_OR_TEXT.sub(blank, text)


def includes(path, folder, files, text):
    """What is wrong with a file's includes."""
    for included in re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', text, re.MULTILINE):
        own = [other for other in files if other.name == Path(included).name]
        if own:
            where = own[0].relative_to(PLUGIN).parent.as_posix()
            if where not in FOLDERS[folder]:
                yield f"{path} includes {included}, of {where}/"
        elif folder == "machine" and included not in C_LIBRARY:
            yield f"{path} includes {included}, which is not of the C library"


def problems():
    """All that is wrong, a line each."""
    files = sorted(path for path in PLUGIN.rglob("*") if path.suffix in (".c", ".h", ".def"))
    if not {path.relative_to(PLUGIN).parent.as_posix() for path in files} >= FOLDERS.keys():
        yield f"{PLUGIN} does not have all of the folders {', '.join(FOLDERS)}"
    listed = set(re.sub(r"#.*", "", (PLUGIN / "CMakeLists.txt").read_text()).replace(")", " ").split())
    for file in files:
        path = file.relative_to(PLUGIN).as_posix()
        folder = Path(path).parent.as_posix()
        text = code(file.read_text())
        if folder not in FOLDERS:
            yield f"{path} lies in no folder of the architecture"
            continue
        if path not in listed:
            yield f"{path} is not listed in plugin/CMakeLists.txt"
        yield from includes(path, folder, files, text)
        if file.name != "ws_compat.h" and VERSION.search(TOLD.sub("", text)):
            yield f"{path} tests Wireshark's version: only ws_compat.h does"
        if THROWS.search(text):
            yield f"{path} catches exceptions: {THROWS.search(text)[0]}"
        lines = len(file.read_text().splitlines())
        if lines > LONG:
            print(f"{path} has {lines} lines; {LONG} are enough")
        if lines > TOO_LONG:
            yield f"{path} has {lines} lines, over {TOO_LONG}"


def main():
    found = list(problems())
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
