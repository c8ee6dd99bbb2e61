#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the pictures in test-captures/pictures: the windows that README.md and LESSON.md show.

    TCPSTATE_PLUGIN=path/to/tcpstate.so tests/gui/screenshots.py [FOLDER]

Needs what gui.py needs, and rsvg-convert (Debian's librsvg2-bin). Not a test: fonts differ between machines.
"""

import subprocess
import sys
from pathlib import Path

from desktop import Desktop, Tshark, missing
from gui import BUSY, CAPTURES, LEAK, PROFILE, PROFILE_FOLDER, WHOLE, subtree
from wireshark import Wireshark, learn_usual

import leaks  # isort: skip  (found only now: beside tshark.py)

PICTURES = CAPTURES / "pictures"
LIMIT_KB = 300
TITLE_PX = 22  # of a window, above its box
FRAME_PX = 1


def write(path, png):
    """Store a picture with at most 256 colours."""
    subprocess.run(["convert", "-", "+dither", "-colors", "256", "-strip", "-define", "png:compression-level=9",
                    f"png8:{path}"], input=png, timeout=60, check=True)
    size = path.stat().st_size
    print(f"{path.name}: {size // 1000} kB")
    if size > LIMIT_KB * 1000:
        raise SystemExit(f"{path} is larger than {LIMIT_KB} kB")


def of_window(wireshark, part):
    """A window with its frame."""
    x, y, width, height = wireshark.window(part).box
    left, top = max(0, x - FRAME_PX), max(0, y - TITLE_PX)
    return wireshark.desktop.picture("-crop", f"{x + width + FRAME_PX - left}x{y + height + FRAME_PX - top}"
                                     f"+{left}+{top}", "+repage")


def main_window(desktop, tshark, path):
    """A server that never closes, and what is known of its end."""
    last_line = subtree(tshark, LEAK, 19)[-1]
    with Wireshark(desktop, LEAK, PROFILE) as wireshark:
        wireshark.select(19)
        wireshark.expand("[TCP State: ")
        wireshark.detail(last_line)
        write(path, of_window(wireshark, wireshark.main))


def connections(desktop, path):
    with Wireshark(desktop, BUSY, PROFILE) as wireshark:
        wireshark.menu("Statistics", "TCP State Connections")
        wireshark.place("Connections", 40, 60, 1060, 330)
        wireshark.find("Connections", "tree item", "10.9.0.1:40004")
        write(path, of_window(wireshark, "Connections"))


def flow_graph(desktop, path):
    with Wireshark(desktop, WHOLE, PROFILE) as wireshark:
        wireshark.menu("Statistics", "Flow Graph")
        wireshark.pick("· Flow ·", "Flow type:", "TCP State")
        wireshark.place("· Flow ·", 40, 60, 900, 520)
        wireshark.find("· Flow ·", "push button", "Reset Diagram")
        write(path, of_window(wireshark, "· Flow ·"))


def io_graph(desktop, path):
    """A service that leaks one in ten of its sockets: how many enter and leave CLOSE_WAIT, and how many never leave."""
    capture = path.with_suffix(".pcap")
    capture.write_bytes(leaks.make().octets)
    # Wireshark adds a graph of the display filter: of one packet, it is not to be seen.
    with Wireshark(desktop, capture, PROFILE, display_filter="frame.number == 1") as wireshark:
        wireshark.menu("Statistics", "I/O Graphs")
        wireshark.place("I/O Graphs", 40, 40, 760, 600)
        wireshark.pick("I/O Graphs", "Interval", "10 sec")
        desktop.click(wireshark.find("I/O Graphs", "tree item", "Filtered packets"))
        desktop.keys("ctrl+Home")  # the profile's graphs
        wireshark.find("I/O Graphs", "push button", "Reset")
        write(path, of_window(wireshark, "I/O Graphs"))
    capture.unlink()


def diagram(tshark, path):
    svg = tshark.run(["-q", "-z", "tcpstate,diagram"], WHOLE).stdout
    write(path, subprocess.run(["rsvg-convert", "--background-color", "white", "--width", "1000"],
                               input=svg.encode(), capture_output=True, timeout=60, check=True).stdout)


def main():
    if why := missing():
        raise SystemExit(why)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(exist_ok=True)
    with Tshark(stock=True) as stock, Tshark() as tshark, Desktop(tshark, 1280, 800) as desktop:
        tshark.add_profile(PROFILE, PROFILE_FOLDER)
        learn_usual(desktop, LEAK, stock)
        main_window(desktop, tshark, folder / "main-window.png")
        connections(desktop, folder / "connections.png")
        flow_graph(desktop, folder / "flow-graph.png")
        io_graph(desktop, folder / "io-graph.png")
        diagram(tshark, folder / "diagram.png")


if __name__ == "__main__":
    main()
