#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture that never ends: what the plugin keeps grows with connections, never with packets.

Two tsharks, with and without the plugin, read the same endless capture from a pipe. First come
connections, then only data in four of them; after each part both have read all, and what the one
holds in memory beyond the other is told.
"""

import itertools
import os
import subprocess
import sys
import time

from measure import HERE  # noqa: F401  (finds the modules below)

import captures
from tshark import Failure, Tshark

CONNECTIONS = 20_000
PARTS = (("short", CONNECTIONS * 10), ("long", 50_000), ("long", 100_000), ("long", 200_000))
BYTES_PER_PACKET = 4          # the allocator takes memory in blocks: over 150,000 packets less than this is none
TIME_LIMIT_S = 900


class Reader:
    """A tshark that reads a capture from a pipe."""

    def __init__(self, tshark):
        self._process = tshark.start([tshark.program, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        self._fed = 0

    def feed(self, data):
        self._process.stdin.write(data)
        self._fed += len(data)

    def _figure(self, file, name):
        with open(f"/proc/{self._process.pid}/{file}") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(name))

    def held(self):
        """Octets in memory once all that was fed has been read and dissected."""
        self._process.stdin.flush()
        deadline = time.monotonic() + TIME_LIMIT_S
        used, still = None, 0
        while still < 3:                         # asleep at the pipe, and no longer at work
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failure("tshark stopped reading")
            time.sleep(0.2)
            with open(f"/proc/{self._process.pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            now = fields[0], fields[11], fields[12]
            still = still + 1 if now == used and fields[0] == "S" else 0
            used = now
        return self._figure("status", "VmRSS:") * 1024

    def close(self):
        self._process.stdin.close()
        if self._process.wait(timeout=TIME_LIMIT_S) != 0:
            raise Failure(f"exit status {self._process.returncode} from tshark")


def main():
    if not os.path.isdir("/proc/self"):
        print("skipped: memory is read from /proc, which is not here")
        return 77
    extra, sent = [], {}
    with Tshark(stock=True) as stock, Tshark() as own:
        readers = Reader(stock), Reader(own)
        for reader in readers:
            reader.feed(captures.HEADER)
        for kind, packets in PARTS:
            frames = captures.records(kind, packets, sent.get(kind, 0))
            for chunk in iter(lambda: b"".join(itertools.islice(frames, 1000)), b""):
                for reader in readers:
                    reader.feed(chunk)
            sent[kind] = packets
            without, having = (reader.held() for reader in readers)
            extra.append(having - without)
            print(f"{sum(sent.values()):8} packets: {without >> 20} MiB without, "
                  f"{extra[-1] / 1024:.0f} KiB more with the plugin", flush=True)
        for reader in readers:
            reader.close()
    growth = (extra[-1] - extra[1]) / (PARTS[-1][1] - PARTS[1][1])
    each = extra[0] / CONNECTIONS
    print(f"{each:.0f} bytes per connection, {growth:.2f} per packet of those that exist")
    return 1 if growth > BYTES_PER_PACKET or each <= 0 else 0


if __name__ == "__main__":
    sys.exit(main())
