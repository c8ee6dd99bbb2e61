#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile with other compilers than this machine's first, warnings as errors.

    compilers.py clang      all that the project has, and run the machine's tests
    compilers.py windows    the plugin as tcpstate.dll, by MinGW-w64

For Windows there are no development files of Wireshark here. Its headers are the same everywhere, so
this machine's serve; GLib's one header that depends on the system is adapted; and in place of the
libraries stand import libraries that name what this machine's export. The result cannot be run here,
but all of it is compiled and linked, and exports what Wireshark's loader looks for.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import roots

TIME_LIMIT_S = 240
MINGW = "x86_64-w64-mingw32"
LIBRARIES = ["wireshark", "wiretap", "wsutil", "glib-2.0"]
EXPORTS = {"plugin_version", "plugin_want_major", "plugin_want_minor", "plugin_register", "plugin_describe"}


def run(*command, **options):
    """Run a command; return what it said."""
    command = [str(word) for word in command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIME_LIMIT_S, **options)
    if done.returncode != 0:
        raise roots.Failure(f"{' '.join(command)}: {done.returncode}\n{done.stdout}")
    return done.stdout


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise roots.Unavailable(f"{program} is not installed")


def build(folder, kind, *settings, **options):
    """Configure and build the project, warnings as errors; return the build folder."""
    run("cmake", "-S", roots.PROJECT, "-B", folder / kind, "-G", "Ninja", f"-DCMAKE_BUILD_TYPE={kind}",
        "-DTCPSTATE_WERROR=ON", *settings, **options)
    run("cmake", "--build", folder / kind, **options)
    return folder / kind


# ---------------------------------------------------------------- Clang

def test_clang(folder):
    need("clang")
    for kind in "RelWithDebInfo", "Debug":
        built = build(folder, kind, "-DCMAKE_C_COMPILER=clang")
        run("ctest", "--test-dir", built, "--label-regex", "^unit$", "--no-tests=error")


# ---------------------------------------------------------------- Windows

# In glibconfig.h, what is long for this machine and long long for Windows; and the rest that differs.
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
set(Wireshark_VERSION {version})
set(Wireshark_MAJOR_VERSION {major})
set(Wireshark_MINOR_VERSION {minor})
set(Wireshark_INSTALL_PREFIX "{folder}")
set(Wireshark_PLUGIN_INSTALL_DIR "{folder}/plugins/{major}.{minor}")
add_library(epan INTERFACE IMPORTED)
target_include_directories(epan SYSTEM INTERFACE "{include}")
target_link_libraries(epan INTERFACE {libraries})
"""

_PKG_CONFIG = """
Name: glib-2.0
Description: this machine's headers, one of them adapted
Version: {version}
Cflags: -I{folder} -I{include}
Libs: -L{folder} -lglib-2.0
"""


def test_windows(folder):
    need(f"{MINGW}-gcc", f"{MINGW}-dlltool", "nm", "pkg-config")
    libraries = {name: import_library(folder, name) for name in LIBRARIES}
    write_stand_in(folder, libraries)
    environment = os.environ | {"PKG_CONFIG_LIBDIR": str(folder)}
    environment.pop("PKG_CONFIG_PATH", None)
    for kind in "RelWithDebInfo", "Debug":
        built = build(folder, kind, "-DCMAKE_SYSTEM_NAME=Windows", f"-DCMAKE_C_COMPILER={MINGW}-gcc",
                      f"-DWireshark_DIR={folder}", "-DBUILD_TESTING=OFF", env=environment)
        told = run(f"{MINGW}-objdump", "--private-headers", built / "plugin/tcpstate.dll")
        exported = set(re.findall(r"\bplugin_\w+|\bproto_reg\w+", told.split("[Ordinal/Name Pointer] Table")[1]))
        if exported != EXPORTS:
            raise roots.Failure(f"tcpstate.dll exports {exported}, not {EXPORTS}")
        run("cmake", "--install", built)
        if not list(folder.glob("plugins/*/epan/tcpstate.dll")):
            raise roots.Failure("installed, but not where Wireshark for Windows looks")


def import_library(folder, name):
    """Make an import library of what a shared library of this machine exports; return its path."""
    shared = run("gcc", f"-print-file-name=lib{name}.so").strip()
    if not Path(shared).is_file():
        raise roots.Unavailable(f"lib{name}.so is not installed")
    listed = run("nm", "--dynamic", "--defined-only", shared)
    names = {symbol.split("@")[0]: kind for kind, symbol in re.findall(r" ([TDBR]) (\S+)$", listed, re.MULTILINE)}
    definition = folder / f"{name}.def"
    definition.write_text("EXPORTS\n" + "".join(f"{symbol}{' DATA' if kind != 'T' else ''}\n"
                                                for symbol, kind in names.items()))
    library = folder / f"lib{name}.dll.a"
    run(f"{MINGW}-dlltool", "--input-def", definition, "--dllname", f"lib{name}.dll", "--output-lib", library)
    return library


def write_stand_in(folder, libraries):
    """Write what CMake finds in place of development files."""
    told = {name: run("pkg-config", *question).strip() for name, question in {
        "wireshark": ["--modversion", "wireshark"], "glib": ["--modversion", "glib-2.0"],
        "include": ["--variable=includedir", "wireshark"], "glib_include": ["--variable=includedir", "glib-2.0"],
        "glib_lib": ["--variable=libdir", "glib-2.0"]}.items()}
    major, minor = told["wireshark"].split(".")[:2]
    glibconfig = (Path(told["glib_lib"]) / "glib-2.0/include/glibconfig.h").read_text()
    for pattern, windows in _FOR_WINDOWS:
        glibconfig = re.sub(pattern, windows, glibconfig)
    (folder / "glibconfig.h").write_text(glibconfig)
    (folder / "WiresharkConfig.cmake").write_text(_CONFIG.format(
        version=told["wireshark"], major=major, minor=minor, folder=folder,
        include=f"{told['include']}/wireshark",
        libraries=" ".join(f'"{libraries[name]}"' for name in LIBRARIES if name != "glib-2.0")))
    (folder / "glib-2.0.pc").write_text(_PKG_CONFIG.format(
        version=told["glib"], folder=folder, include=f"{told['glib_include']}/glib-2.0"))


def test():
    which = {"clang": test_clang, "windows": test_windows}[sys.argv[1]]
    with tempfile.TemporaryDirectory(prefix="tcpstate-test-") as folder:
        which(Path(folder))


if __name__ == "__main__":
    roots.main(test)
