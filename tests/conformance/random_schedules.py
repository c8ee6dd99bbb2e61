# SPDX-License-Identifier: GPL-2.0-or-later
"""Random users at both ends of a random wire.

All that is decided by chance comes from one seed: the wire's delay, what it loses, doubles and holds
up, and what both users call and when. The same seed gives the same schedule again, though not
the same capture: the kernels and their timers answer in their own time.
"""

import contextlib
import os
import random
import socket
import threading
import time
from typing import NamedTuple

import kernel
from lab import CLIENT_PORT, SERVER_PORT, Lab, abort
from stack import Unable
from wire import EVERY, HOSTS, any_segment

_CALL_TIMEOUT_S = 0.2  # of each call of a user
_QUIET_S = 0.7         # at the end: by then most of what was lost has been sent again
_QUIET_WITHIN_S = 6

# Retransmissions that are given up within the time that a schedule takes would be out of the
# ordinary; a SYN is.
_SYSCTLS = {"net.ipv4.tcp_syn_retries": 3}


class Call(NamedTuple):
    """What a user does, and after how many seconds."""
    wait_s: float
    name: str    # of a method of _User
    octets: int


class Schedule:
    """What a seed decides."""

    def __init__(self, seed):
        self.seed = seed
        chance = random.Random(seed)
        self.delay_s = chance.choice([0.005, 0.02, 0.05])
        self.loss = chance.choice([0, 0.05, 0.1, 0.2])
        self.doubling = chance.choice([0, 0, 0.05, 0.1])
        self.lateness = chance.choice([0, 0.1, 0.3])
        self.both_open = chance.random() < 0.1
        at_once = chance.random() < 0.3
        self.calls = {host: self._choose_calls(chance, at_once) for host in HOSTS}

    def _choose_calls(self, chance, at_once):
        """A user's calls. at_once: both users begin to close at the same time."""
        calls = []
        for _ in range(chance.randrange(6)):
            wait_s = chance.choice([0, 0, self.delay_s, chance.random() * 0.3])
            name = chance.choice(["send"] * 3 + ["receive", "drain", "drain", "shut"])
            octets = chance.choice([1, 10, 100, 1000, 5000, 20000, 50000])
            calls.append(Call(wait_s, name, octets))
        wait_s = 0.1 if at_once else chance.choice([0, self.delay_s, chance.random() * 0.5])
        for name in chance.choice([["close"]] * 6 + [["drain", "close"]] * 4
                                  + [["abort"], ["shut", "drain", "close"], ["shut_both"], []]):
            calls.append(Call(wait_s, name, 0))
            wait_s = 0
        return calls

    def disturb(self, wire):
        """Make a wire lose, double and hold up segments by chance: each direction has its own, so
        that the one does not depend on how many segments the other has."""
        for host in HOSTS:
            wire.add(host, any_segment, EVERY,
                     _Mishaps(self, wire, random.Random(f"{self.seed} {host}")))


class _Mishaps:
    """Decides on each segment of one direction."""

    def __init__(self, schedule, wire, chance):
        self._schedule, self._wire, self._chance = schedule, wire, chance

    def __call__(self, receiver, frame):
        s = self._schedule
        lost, doubled, late = (self._chance.random() < p for p in (s.loss, s.doubling, s.lateness))
        passes = self._chance.random() < 0.5  # a lost one, before it is lost
        late_s, later_s = (self._chance.random() * 3 * s.delay_s for _ in range(2))
        after_s = s.delay_s + (late_s if late else 0)
        if lost:
            self._wire.carry(receiver, frame, after_s, passes=passes, arrives=False)
            return
        self._wire.carry(receiver, frame, after_s)
        if doubled:
            self._wire.carry(receiver, frame, after_s + later_s)


class _User(threading.Thread):
    """Makes its calls to one socket, whatever they answer."""

    def __init__(self, end, calls):
        super().__init__()
        self._end, self._calls = end, calls
        self.unable = None  # the Unable of a stack that cannot do a call

    def run(self):
        self._end.settimeout(_CALL_TIMEOUT_S)
        for call in self._calls:
            time.sleep(call.wait_s)
            try:
                getattr(self, call.name)(call.octets)
            except OSError:  # a connection that the other end has aborted
                pass
            except Unable as reason:
                self.unable = reason
                return

    def send(self, octets):
        """Send so many octets, or as many as fit in time."""
        self._end.sendall(b"x" * octets)

    def receive(self, octets):
        """Receive no more than so many octets."""
        self._end.recv(octets)

    def drain(self, _):
        """Receive until the other end's FIN, or nothing comes."""
        while self._end.recv(65536):
            pass

    def shut(self, _):
        """Send no more."""
        self._end.shutdown(socket.SHUT_WR)

    def shut_both(self, _):
        """Neither send nor receive any more."""
        self._end.shutdown(socket.SHUT_RDWR)

    def close(self, _):
        """Close."""
        self._end.close()

    def abort(self, _):
        """Close with a RST."""
        abort(self._end)


def _open(lab, schedule):
    """The two ends of a connection; fewer where mishaps prevented it."""
    if schedule.both_open:
        ends = {host: lab.start_connecting(host) for host in HOSTS}
        time.sleep(6 * schedule.delay_s + 0.3)
        return ends
    ends = {}
    listener = lab.listen()
    with contextlib.suppress(OSError):
        client = lab.socket("client", CLIENT_PORT)
        client.connect(lab.address("server", SERVER_PORT))
        ends["client"] = client
        ends["server"] = lab.accept(listener)
    return ends


def record(seed, folder, vantages, poll_every_s=kernel.POLL_EVERY_S, stacks=None, prefix=""):
    """Play the schedule of a seed, and write random-SEED.states and random-SEED-VANTAGE.pcap. prefix: before
    that. stacks: see Lab."""
    schedule = Schedule(seed)
    stem = os.path.join(folder, f"{prefix}random-{seed}")
    with Lab(delay_s=schedule.delay_s, sysctls=None if stacks else _SYSCTLS, poll_every_s=poll_every_s,
             stacks=stacks) as lab:
        for at in vantages:
            lab.capture(at, f"{stem}-{at}.pcap")
        schedule.disturb(lab.wire)
        ends = _open(lab, schedule)
        users = [_User(end, schedule.calls[host]) for host, end in ends.items()]
        for user in users:
            user.start()
        for user in users:
            user.join()
        for user in users:
            if user.unable:
                raise user.unable
        with contextlib.suppress(TimeoutError):  # what is still to come is not captured
            lab.wire.settle(_QUIET_S, _QUIET_WITHIN_S)
        states = lab.finish()
    with open(f"{stem}.states", "w", encoding="ascii") as file:
        file.write(states)
