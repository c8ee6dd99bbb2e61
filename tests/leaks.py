# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture of services of which one leaks sockets in silence: some of its connections end in CLOSE_WAIT, without a
segment from then on. And the truth about it, counted while it is made.
"""

import heapq
import struct
import sys
from pathlib import Path
from typing import NamedTuple

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))

from captures import ACK, FIN, HEADER, PSH, REQUEST, RESPONSE, SYN, End  # noqa: E402

EPOCH_S = 1767225600         # 2026-01-01T00:00:00Z
LEAKING = "10.0.0.5:8443"
SERVICES = {LEAKING: 1860, "10.0.0.6:443": 240, "10.0.0.5:8080": 60}  # and how many connections each has
LEAKS = 177                  # of LEAKING
LIFE_S, STEP_S, SILENCE_S = 20, 0.1, 600  # of a connection; from one to the next; before the last one


class Leak(NamedTuple):
    """A connection that its server never closes."""
    client: str
    frame: int      # with the client's FIN, from 1
    time: float     # of that, seconds since 1970


class Made(NamedTuple):
    """A capture, and the truth about it."""
    octets: bytes
    connections: dict   # by service: how many are in the capture
    leaks: list         # in order
    end: float          # time of the last segment, seconds since 1970


def _frames(client, server, leaks):
    """(seconds from the start, frame, whether it bears a FIN that is not answered) of a connection."""
    c, s = 1000, 5000
    yield 0, client.frame(c, 0, SYN), False
    yield 0.01, server.frame(s, c + 1, SYN | ACK), False
    yield 0.02, client.frame(c + 1, s + 1, ACK), False
    yield 0.03, client.frame(c + 1, s + 1, PSH | ACK, REQUEST), False
    c, s = c + 1 + REQUEST, s + 1
    yield 0.04, server.frame(s, c, PSH | ACK, RESPONSE), False
    s += RESPONSE
    yield 0.05, client.frame(c, s, ACK), False
    yield LIFE_S, client.frame(c, s, FIN | ACK), leaks
    yield LIFE_S + 0.01, server.frame(s, c + 1, ACK), False
    if not leaks:
        yield LIFE_S + 0.02, server.frame(s, c + 1, FIN | ACK), False
        yield LIFE_S + 0.03, client.frame(c + 1, s + 1, ACK), False


def _connections():
    """(when it starts, client, service, whether it leaks) of each; the last one after a long silence."""
    services = [name for name, count in SERVICES.items() for _ in range(count)]
    apart = 997  # a step through all of them, so that services take turns
    leaky = {round(n * SERVICES[LEAKING] / LEAKS) for n in range(LEAKS)}
    for n in range(len(services)):
        index = n * apart % len(services)
        start = n * STEP_S + (SILENCE_S if n + 1 == len(services) else 0)
        yield start, f"10.1.{n >> 8}.{n & 255}:{30000 + n}", services[index], index in leaky


def make(begin_s=0):
    """The capture from so many seconds after the first SYN on."""
    events = []
    for number, (start, client, service, leaks) in enumerate(_connections()):
        (chost, cport), (shost, sport) = client.split(":"), service.split(":")
        ends = (End(chost, shost, int(cport), int(sport)), End(shost, chost, int(sport), int(cport)))
        for order, (after, frame, is_leak) in enumerate(_frames(*ends, leaks)):
            heapq.heappush(events, (start + after, number, order, frame, client, service, is_leak))
    out, leaks, connections, end = [HEADER], [], {}, 0
    for frame_number, event in enumerate((e for e in (heapq.heappop(events) for _ in range(len(events)))
                                          if e[0] >= begin_s), 1):
        at, number, _, frame, client, service, is_leak = event
        end = EPOCH_S + round(at, 6)
        seconds, microseconds = divmod(round(at * 1e6), 1000000)
        out.append(struct.pack("<IIII", EPOCH_S + seconds, microseconds, len(frame), len(frame)) + frame)
        connections.setdefault(service, set()).add(number)
        if is_leak:
            leaks.append(Leak(client, frame_number, end))
    return Made(b"".join(out), {name: len(numbers) for name, numbers in connections.items()}, leaks, end)
