#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says: every change of state of every TCP socket of one host, with its time.

Run as a program inside a network namespace, it polls a table, /proc/net/tcp or tcp6, pausing between
for so many seconds (its two arguments), until SIGTERM, and then prints what changed. Imported, it
starts such programs (Recorder) and joins what both hosts say into the text of a .states file
(timeline), or reads one (read_states).

A line of a .states file is

    client 1767225600.123456 10.9.0.1:40000 10.9.0.2:5000 SYN_SENT

host, seconds since the epoch on the clock that captures use, own and other end, new state. The
time is that of the poll which first saw the state: the change came after the poll before it.
An end without a line yet has no socket.

    client 1767225600.123456 10.9.0.1:40000 10.9.0.2:5000 RST,ACK TCP_STATE 4711

is a RST that it sent, with ACK or without: why, and its sequence number. There are none where the kernel does not tell.
"""

import array
import gc
import ipaddress
import os
import signal
import struct
import subprocess
import sys
import time
from typing import NamedTuple

POLL_EVERY_S = 0.0002  # takes a fifth of a processor; for many labs side by side, poll less often

# Linux numbers the states in its own order; 12 is a request socket, which this table shows as 3.
STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RCVD", 4: "FIN_WAIT_1", 5: "FIN_WAIT_2",
    6: "TIME_WAIT", 7: "CLOSED", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN",
    11: "CLOSING", 12: "SYN_RCVD",
}

# Where one pair of ends has two rows, for as long as one socket takes over from another, the state
# further down is that of the newer: TIME_WAIT replaces a closing socket, a new connection replaces
# TIME_WAIT, and an accepted socket its request.
_AGE = ("CLOSED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING", "TIME_WAIT", "LISTEN", "SYN_SENT",
        "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK")

# The kernel fills one page of 4096 bytes per read; where another row had found room in it, that
# was all. (Asking again, to get nothing, would take as long as the read itself.)
_WHOLE = 3500


class Change(NamedTuple):
    """One line of a .states file."""
    host: str     # client or server
    time_s: float  # seconds since the epoch
    local: str    # ADDRESS:PORT, [ADDRESS]:PORT for IPv6
    remote: str
    state: str


UNTOLD = "UNTOLD"  # for a reason: several labs sent a RST between such ends at that moment


class Reset(NamedTuple):
    """A RST that a host sent."""
    host: str
    time_s: float
    local: str
    remote: str
    flags: str   # RST or RST,ACK
    reason: str  # of Linux' enum sk_rst_reason
    seq: int


class States(NamedTuple):
    """A .states file."""
    changes: list       # of Change, in order of time
    largest_gap_s: float  # between two polls, of either host
    captured_at: str    # client, server, or client and server
    resets: list        # of Reset


def endpoint(address, port):
    """An address and a port as one word."""
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _decode_endpoint(text):
    """0201090A:1388, an address in words of the host's byte order, as ADDRESS:PORT."""
    words, port = text.split(":")
    packed = b"".join(struct.pack("=I", int(words[i:i + 8], 16)) for i in range(0, len(words), 8))
    address = ipaddress.ip_address(packed)
    return endpoint(getattr(address, "ipv4_mapped", None) or address, int(port, 16))


def read_table(table):
    """All of an open /proc/net/tcp or tcp6."""
    text = part = os.pread(table, 1 << 16, 0)
    while len(part) > _WHOLE:
        part = os.pread(table, 1 << 16, len(text))
        text += part
    return text


def states_in(text, names):
    """The state of every pair of ends in a table. names remembers what was decoded before, for speed."""
    now = {}
    for line in text.decode().splitlines()[1:]:
        row = tuple(line.split(maxsplit=4)[1:4])
        if row not in names:
            names[row] = (_decode_endpoint(row[0]), _decode_endpoint(row[1]), STATES[int(row[2], 16)])
        local, remote, state = names[row]
        other = now.get((local, remote), state)
        now[local, remote] = max(state, other, key=_AGE.index)
    return now


def _take_priority():
    """Wait for no ordinary process any more."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _give_priority_back():
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def try_priority():
    """Raise OSError where polls cannot have the priority that they need."""
    _take_priority()
    _give_priority_back()


def record(table, every_s):
    """Poll a table, tcp or tcp6, with pauses of every_s, until SIGTERM, then print the changes and, last,
    the median and largest gap between two polls, in seconds."""
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started this one
    gc.disable()  # its pauses would be gaps
    table = os.open(f"/proc/net/{table}", os.O_RDONLY)
    lines, known, names, gaps = [], {}, {}, array.array("d")
    text = polled_s = None
    # It waits for no other process now, else the gaps are of 5 ms. Not before, nor after: while one
    # starts or ends, those of other labs must go on. And all together must leave time for the rest.
    _take_priority()
    while not stopped:
        before, text = text, read_table(table)
        time_s = time.time()  # after the look: a change may be dated late by one gap, never early
        if text != before:
            now = states_in(text, names)
            for ends in known.keys() | now.keys():
                state = now.get(ends, "CLOSED")
                if state != known.get(ends):
                    lines.append(f"{time_s:.6f} {ends[0]} {ends[1]} {state}")
            known = now
        if polled_s is None:
            print("polling", flush=True)
        else:
            gaps.append(time_s - polled_s)
        polled_s = time_s
        time.sleep(every_s)
    _give_priority_back()
    print(*lines, f"{sorted(gaps)[len(gaps) // 2]:.6f} {max(gaps):.6f}", sep="\n")


def running():
    """The name and version of this machine's kernel."""
    return f"Linux {os.uname().release}"


class Recorder:
    """A process that records the states of the namespace which the calling thread is in."""

    def __init__(self, host, table, every_s=POLL_EVERY_S):
        """table: tcp or tcp6, where its sockets are. every_s: pause between two polls, in seconds."""
        self.host = host
        self.process = subprocess.Popen(  # it ends with its parent
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-I", __file__, table, str(every_s)],
            stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"polling\n":
            self.kill()
            raise RuntimeError(f"the recorder of the {host}'s states did not start")

    def stop(self):
        """End the recording: (list of Change, who told them and how exactly)."""
        self.process.terminate()
        *lines, gaps = self.process.communicate(timeout=10)[0].decode().splitlines()
        median_s, largest_s = map(float, gaps.split())
        return ([_parse_change(f"{self.host} {line}") for line in lines],
                f"polled every {median_s * 1e3:.2f} ms (median), largest gap {largest_s * 1e3:.2f} ms")

    def kill(self):
        """Kill the process."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def _parse_change(line):
    host, time_s, local, remote, state = line.split()
    return Change(host, float(time_s), local, remote, state)


def _parse_reset(line):
    host, time_s, local, remote, flags, reason, seq = line.split()
    return Reset(host, float(time_s), local, remote, flags, reason, int(seq))


def timeline(recorders, stacks, captured_at, resets):
    """Stop the recorders and give the text of a .states file. recorders: host to what has stop(), as a Recorder has.
    stacks: host to the name and version of what it runs. resets: list of Reset."""
    head = ["# States of the TCP sockets of both hosts, "
            + (stacks["client"] if len(set(stacks.values())) == 1
               else ", ".join(f"{stack} at the {host}" for host, stack in stacks.items())),
            f"# captured at {captured_at}"]
    changes = []
    for host, recorder in recorders.items():
        own, how = recorder.stop()
        changes += own
        head.append(f"# {host} {how}")
    changes.sort(key=lambda change: change.time_s)
    lines = [f"{c.host} {c.time_s:.6f} {c.local} {c.remote} {c.state}" for c in changes]
    lines += [f"{r.host} {r.time_s:.6f} {r.local} {r.remote} {r.flags} {r.reason} {r.seq}" for r in resets]
    return "\n".join(head + lines) + "\n"


def read_states(path):
    """The .states file at path, as States."""
    changes, resets, gaps_ms, captured_at = [], [], [], None
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] != "#" and words[4] in ("RST", "RST,ACK"):
                resets.append(_parse_reset(line))
            elif words[0] != "#":
                changes.append(_parse_change(line))
            elif words[-1] == "ms":
                gaps_ms.append(float(words[-2]))
            elif words[1] == "captured":
                captured_at = " ".join(words[3:])
    if len(gaps_ms) != 2 or captured_at is None:
        raise ValueError(f"{path}: the comments do not tell the polling gaps and the vantage point")
    return States(changes, max(gaps_ms) / 1e3, captured_at, resets)


if __name__ == "__main__":
    record(sys.argv[1], float(sys.argv[2]))
