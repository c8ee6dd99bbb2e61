#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package for Windows of a series: built without warnings, the same bytes twice, and a DLL that imports only what
wireshark.org's builds have.

usage: packages.py SERIES
"""

import re
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cmake/windows"))
import package  # noqa: E402 (needs the path)
import roots  # noqa: E402 (package has the path)

EXPORTS = {"plugin_version", "plugin_want_major", "plugin_want_minor", "plugin_register", "plugin_describe"}
# The C runtime of Wireshark's builds and ours is UCRT, whose parts these are; msvcrt.dll would be another.
OF_WINDOWS = r"(?i)api-ms-win-crt-[a-z]+-l1-1-0\.dll|kernel32\.dll"
# Wireshark 4.4 and 4.6 can be built with a GLib as old as this; 4.0's installer of 2022 brings a newer one.
GLIB_AT_MOST = (2, 54)
# In one C runtime and back in another, a jump would find the stack laid out as it does not expect.
JUMPS = re.compile(r"setjmp|longjmp", re.IGNORECASE)
VARIABLES = {"4.0": set(), "4.4": {"prefs"}, "4.6": {"prefs"}}


def check(condition, problem):
    if not condition:
        raise roots.Failure(problem)


def tables(root, dll):
    """What a DLL imports, from library to a set of names, and the names that it exports."""
    inside = f"/{dll.relative_to(root.folder)}"
    told = root.run([f"{package.COMPILER}-objdump", "--private-headers", inside])
    imported = {}
    for part in re.split(r"^\s*DLL Name: ", told.split("[Ordinal/Name Pointer] Table")[0], flags=re.MULTILINE)[1:]:
        library, *lines = part.splitlines()
        imported[library] = {line.split()[-1] for line in lines
                             if re.match(r"\t[0-9a-f]{8,}\s+\S+\s+[0-9a-f]{4}\s", line)}
    exported = set(re.findall(r"\b(?:plugin|proto_reg|proto)_\w+", told.split("[Ordinal/Name Pointer] Table")[1]))
    return imported, exported


def since(debian):
    """In which version of GLib each of its functions came, as Debian's package tells."""
    symbols, = debian.path("var/lib/dpkg/info").glob("libglib2.0-0*.symbols")
    return {name: tuple(map(int, number.split(".")[:2]))
            for name, number in re.findall(r"^ (\w+)@Base (\d+\.\d+)", symbols.read_text(), re.MULTILINE)}


def check_dll(root, dll, series):
    imported, exported = tables(root, dll)
    check(exported == EXPORTS, f"exports {exported}, not {EXPORTS}")
    own = {name for name in imported if not re.fullmatch(OF_WINDOWS, name)}
    check(own == set(package.LIBRARIES.values()), f"imports from {own}, not from {set(package.LIBRARIES.values())}")
    jumps = {name for names in imported.values() for name in names if JUMPS.search(name)}
    check(not jumps, f"imports {jumps}")
    came = since(roots.prepared(series))
    newer = {name for name in imported["glib-2.0-0.dll"] if came[name] > GLIB_AT_MOST}
    check(not newer, f"imports of GLib newer than {GLIB_AT_MOST}: {newer}")

    debian = roots.prepared(series)
    variables = set()
    for library, dll_name in package.LIBRARIES.items():
        known = dict(line.partition(" ")[::2] for line in
                     package.exports(debian.path(f"{package.LIBRARY_FOLDER}/lib{library}.so")).splitlines()[1:])
        strange = imported[dll_name] - known.keys()
        check(not strange, f"{library} of {series} does not export {strange}")
        variables |= {name for name in imported[dll_name] if known[name] == "DATA"}
    check(variables == VARIABLES[series], f"imports the variables {variables}, not {VARIABLES[series]}")
    return imported


def check_zip(archive, series):
    with zipfile.ZipFile(archive) as opened:
        held = {name.removeprefix(f"{archive.stem}/"): opened.read(name) for name in opened.namelist()}
    wanted = {"INSTALL.txt", "LICENSE.txt", "README.md", "CHANGELOG.md", "install.cmd", "remove.cmd",
              f"plugins/{series}/epan/tcpstate.dll", f"tcpstate/{package.SCHEMA}",
              *(f"profiles/{package.PROFILE}/{name}" for name in (
                  "colorfilters", "dfilter_buttons", "io_graphs", "preferences"))}
    check(held.keys() == wanted, f"{archive.name} holds {sorted(held)}")
    for name in "INSTALL.txt", "install.cmd", "remove.cmd":
        check(not re.search(rb"@[A-Z]+@|(?<!\r)\n", held[name]) and series.encode() in held[name],
              f"{name} is not as Windows and {series} need it")


def test():
    series = sys.argv[1]
    root = package.tools()
    with root.scratch() as folder:
        archives = []
        for place in "one", "another":
            dll = package.build(root, series, f"{folder}/{place}")
            (root.path(folder) / f"{place}.packed").mkdir()
            archives.append(package.pack(series, dll, root.path(folder) / f"{place}.packed"))
        check(archives[0].read_bytes() == archives[1].read_bytes(), "made twice, and differs")
        check_zip(archives[0], series)
        imported = check_dll(root, dll, series)
        package.build(root, series, f"{folder}/debug", "Debug")
    print(f"{archives[0].name}: {', '.join(f'{len(names)} of {library}' for library, names in imported.items())}")


if __name__ == "__main__":
    roots.main(test)
