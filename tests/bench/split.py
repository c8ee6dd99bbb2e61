#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture too large for one tshark: split by connection, one tshark for each part, the states the same.

    tests/bench/split.py [--parts 4] CAPTURE FOLDER    # writes FOLDER/part-0.pcap …
    tests/bench/split.py --check                       # shows that the states are those of the whole

The splitting is tcpdump's: a filter over the sum of the two ports, which is the same in both
directions, so that all of a connection comes into one part, all its incarnations too. It reads IPv4
and IPv6 without extension headers, on any link layer that tcpdump knows. Fragments have no ports, and
tunnelled segments are hidden from it: all that is not plain TCP comes into part 0.
"""

import argparse
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import Captures

from tshark import Tshark

# Where the sum of the ports stands; fragments other than the first have none.
PORTS = ("(ip proto 6 and ip[6:2] & 0x3fff = 0 and (tcp[0:2] + tcp[2:2]) % {parts} = {part})",
         "(ip6[6] = 6 and (ip6[40:2] + ip6[42:2]) % {parts} = {part})")
REST = " or (not (ip proto 6 and ip[6:2] & 0x3fff = 0) and not ip6[6] = 6)"


def part_filter(part, parts):
    """What tcpdump is to let through into a part."""
    return " or ".join(PORTS).format(parts=parts, part=part) + (REST if part == 0 else "")


def split(capture, folder, parts):
    """Write the parts, side by side; return their paths."""
    paths = [Path(folder) / f"part-{part}.pcap" for part in range(parts)]

    def write(part):
        subprocess.run(["tcpdump", "-nn", "-r", str(capture), "-w", str(paths[part]), part_filter(part, parts)],
                       check=True, capture_output=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(parts)))
    return paths


# What tells a segment in the whole and in its part, where it has another number; and all that is shown
# but for frame numbers.
TELLS = ("frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.ack_raw",
         "tcp.flags")
SHOWN = tuple(f"tcpstate.{end}{what}" for end in ("local", "remote")
              for what in ("", ".previous", ".event", ".entered", ".left", ".dwell", ".duration", ".confirmed"))
SHOWN += ("tcpstate.client", "tcpstate.server", "tcpstate.local.by", "tcpstate.closed_by", "tcpstate.midstream")


def check(parts=3, packets=20000):
    """Compare parts with the whole, for a mixture of all that the benchmark generates."""
    different = segments = 0
    with Captures() as made, Tshark() as tshark:
        for kind in ("short", "interleaved", "ipv6", "scan", "midstream"):
            whole = made.path(kind, packets)
            folder = whole.with_suffix("")
            folder.mkdir()
            folder.chmod(0o755)
            rows = sorted(tshark.fields(whole, TELLS + SHOWN))
            pieces = [tshark.fields(path, TELLS + SHOWN) for path in split(whole, folder, parts)]
            together = sorted(row for piece in pieces for row in piece)
            differ = sum(a != b for a, b in zip(rows, together)) + abs(len(rows) - len(together))
            different += differ
            segments += len(rows)
            print(f"{kind:12} {len(rows):7} segments, parts of {', '.join(str(len(piece)) for piece in pieces)}: "
                  f"{differ} different")
            if min(map(len, pieces)) == 0 or not any(row[len(TELLS)] for row in rows):
                print(f"{kind}: nothing was compared")
                return 1
    print(f"{segments} segments, {different} different")
    return 1 if different else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("capture", nargs="?")
    parser.add_argument("folder", nargs="?")
    given = parser.parse_args()
    if not shutil.which("tcpdump"):
        print("skipped: no tcpdump here, which does the splitting")
        return 77
    if given.check:
        return check()
    if not (given.capture and given.folder and given.parts > 0):
        parser.error("which capture, and into which folder?")
    for path in split(given.capture, given.folder, given.parts):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
