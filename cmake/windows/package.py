#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the plugin for Windows and packs it, a zip for each series of Wireshark; needs root.

usage: package.py [SERIES...]    default: 4.0, 4.4 and 4.6; into build/windows

Wireshark's installer for Windows has no development files. Its headers are the same everywhere, so those
of Debian's packages of the series serve; GLib's one header that depends on the system is adapted. In
place of the libraries stand import libraries of the names that Debian's export, and of the DLLs that
wireshark.org's installer brings. It is built in a Debian that has compilers for Windows: see
tests/packaging/roots.py.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "tests/packaging"))
import roots  # noqa: E402 (needs the path)

HERE = "cmake/windows"
COMPILER = "x86_64-w64-mingw32ucrt"
DEBIAN = "4.4"  # the series whose Debian has that compiler
TOOLS = ["cmake", "gcc-mingw-w64-ucrt64", "ninja-build", "pkgconf"]
# Library of Debian's, and the DLL of wireshark.org's build.
LIBRARIES = {"wireshark": "libwireshark.dll", "wsutil": "libwsutil.dll",
             "glib-2.0": "glib-2.0-0.dll"}
PROFILE = "TCP State"
SCHEMA = "connection.schema.json"
DOCUMENTS = {"LICENSE": "LICENSE.txt", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md"}
LIBRARY_FOLDER = "usr/lib/x86_64-linux-gnu"

# In glibconfig.h, what is long for Debian and long long for Windows; and the rest that differs.
_FOR_WINDOWS = [
    (r"(?m)^(typedef (?:un)?signed) long ", r"\1 long long "),
    (r"(?m)^(#define G\w+_TO_U?INT\(.*|#define GU?INT_TO_POINTER\(.*)$",
     lambda found: found[0].replace("glong", "gint64").replace("gulong", "guint64")),
    (r'"l([iu]?)"', r'"ll\1"'),
    (r"##(U?)L\)", r"##\1LL)"),
    (r"(GLIB_SIZEOF_LONG +)8", r"\g<1>4"),
    (r"(G_MAXSIZE|G_MINSSIZE|G_MAXSSIZE)\s+G_M(AX|IN)(U?)LONG", r"\1 G_M\2\3INT64"),
    (r"G_OS_UNIX", "G_OS_WIN32"),
    (r"G_THREADS_IMPL_POSIX", "G_THREADS_IMPL_WIN32"),
]

# A stand-in for the development files: what the project's CMake files ask Wireshark's for.
_CONFIG = """
set(Wireshark_VERSION {series}.0)
set(Wireshark_MAJOR_VERSION {major})
set(Wireshark_MINOR_VERSION {minor})
set(Wireshark_INSTALL_PREFIX "/")
set(Wireshark_PLUGIN_INSTALL_DIR "/plugins/{series}")
add_library(epan INTERFACE IMPORTED)
target_include_directories(epan SYSTEM INTERFACE "{folder}/include/wireshark")
target_link_libraries(epan INTERFACE "{folder}/libwireshark.dll.a" "{folder}/libwsutil.dll.a")
"""

_PKG_CONFIG = """
Name: glib-2.0
Description: Debian's headers, one of them adapted
Version: {version}
Cflags: -I{folder} -I{folder}/include/glib-2.0
Libs: -L{folder} -lglib-2.0
"""


def tools():
    """The Root with compilers for Windows, made if not there."""
    return roots.equipped("windows", DEBIAN, *TOOLS)


def version():
    """The project's version."""
    return re.search(r"^project\(tcpstate VERSION ([0-9.]+)", (PROJECT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]


def write_development_files(root, series, folder):
    """Write what CMake finds in place of Wireshark's and GLib's development files to a folder of the root."""
    debian, outside = roots.prepared(series), root.path(folder)
    for headers in "wireshark", "glib-2.0":
        shutil.copytree(debian.path(f"usr/include/{headers}"), outside / "include" / headers)
    glibconfig = debian.path(f"{LIBRARY_FOLDER}/glib-2.0/include/glibconfig.h").read_text()
    for pattern, windows in _FOR_WINDOWS:
        glibconfig = re.sub(pattern, windows, glibconfig)
    (outside / "glibconfig.h").write_text(glibconfig)
    for name, dll in LIBRARIES.items():
        definition = outside / f"{name}.def"
        definition.write_text(exports(debian.path(f"{LIBRARY_FOLDER}/lib{name}.so")))
        root.run([f"{COMPILER}-dlltool", "--input-def", f"{folder}/{name}.def", "--dllname", dll,
                  "--output-lib", f"{folder}/lib{name}.dll.a"])
    major, minor = series.split(".")
    (outside / "WiresharkConfig.cmake").write_text(
        _CONFIG.format(series=series, major=major, minor=minor, folder=folder))
    told = debian.path(f"{LIBRARY_FOLDER}/pkgconfig/glib-2.0.pc").read_text()
    (outside / "glib-2.0.pc").write_text(
        _PKG_CONFIG.format(version=re.search(r"Version: (\S+)", told)[1], folder=folder))


def exports(library):
    """The names that a shared library exports, as a module definition file."""
    listed = subprocess.run(["nm", "--dynamic", "--defined-only", library], capture_output=True, text=True, check=True,
                            timeout=60).stdout
    names = {symbol.split("@")[0]: kind for kind, symbol in re.findall(r" ([TDBR]) (\S+)$", listed, re.MULTILINE)}
    return "EXPORTS\n" + "".join(f"{symbol}{' DATA' if kind != 'T' else ''}\n" for symbol, kind in names.items())


def build(root, series, folder, kind="RelWithDebInfo"):
    """Build the plugin, warnings as errors, in a new folder of the root; return the DLL's path outside."""
    root.path(folder).mkdir()
    root.copy_project(f"{folder}/project")
    root.path(f"{folder}/development").mkdir()
    write_development_files(root, series, f"{folder}/development")
    root.run(["cmake", "-S", f"{folder}/project", "-B", f"{folder}/built", "-G", "Ninja",
              "--toolchain", f"{folder}/project/{HERE}/toolchain.cmake", f"-DCMAKE_BUILD_TYPE={kind}",
              # Some of Wireshark's macros name their file.
              f"-DCMAKE_C_FLAGS=-ffile-prefix-map={folder}/development=/usr",
              "-DCMAKE_MODULE_LINKER_FLAGS_RELWITHDEBINFO=-s", "-DTCPSTATE_WERROR=ON",
              f"-DWireshark_DIR={folder}/development", "-DBUILD_TESTING=OFF"],
             variables={"PKG_CONFIG_LIBDIR": f"{folder}/development"})
    root.run(["cmake", "--build", f"{folder}/built"])
    return root.path(f"{folder}/built/plugin/tcpstate.dll")


def contents(series, dll):
    """What the zip holds: name to bytes."""
    profile = sorted((PROJECT / "plugin/profile").iterdir())
    told = {"@SERIES@": series, "@VERSION@": version(), "@SCHEMA@": SCHEMA,
            "@PROFILE@": " ".join(f'"%profile%\\{file.name}"' for file in profile)}
    files = {f"plugins/{series}/epan/tcpstate.dll": dll.read_bytes()}
    files |= {f"profiles/{PROFILE}/{file.name}": file.read_bytes() for file in profile}
    files[f"tcpstate/{SCHEMA}"] = (PROJECT / "plugin/views" / SCHEMA).read_bytes()
    for name in "INSTALL.txt", "install.cmd", "remove.cmd":
        text = (PROJECT / HERE / name).read_text()
        for mark, meant in told.items():
            text = text.replace(mark, meant)
        files[name] = text.replace("\n", "\r\n").encode("ascii")
    return files | {to: (PROJECT / name).read_bytes() for name, to in DOCUMENTS.items()}


def pack(series, dll, folder):
    """Write the zip into a folder, the same bytes each time; return its path."""
    path = Path(folder) / f"tcpstate-{version()}-wireshark{series}-windows-x64.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(contents(series, dll).items()):
            archive.writestr(zipfile.ZipInfo(f"{path.stem}/{name}", date()), content, zipfile.ZIP_DEFLATED)
    return path


def date():
    """The date of all files, as in the other packages: SOURCE_DATE_EPOCH, or CHANGELOG.md's newest dated heading."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    dated = re.search(r"^## .* (\d+)-(\d+)-(\d+)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return (*map(int, dated.groups()), 0, 0, 0) if dated else (1980, 1, 1, 0, 0, 0)


def main():
    to = PROJECT / "build/windows"
    to.mkdir(parents=True, exist_ok=True)
    missing = None
    for series in sys.argv[1:] or roots.SUITES:
        try:
            root = tools()
            with root.scratch() as folder:
                print(pack(series, build(root, series, f"{folder}/{series}"), to))
        except roots.Unavailable as reason:
            print(f"not made: {reason}", file=sys.stderr)
            missing = reason
    if missing:
        raise missing


if __name__ == "__main__":
    roots.main(main)
