# SPDX-License-Identifier: GPL-2.0-or-later
"""What the two hosts do to each other, a few lines each, and how to record it.

A scenario is a function of a Lab. SCENARIOS has them all by name; those with a filter to look at
are bundled as captures. Each theme is a module of this package.
"""

import dataclasses
import os
import typing

import kernel
from lab import MIDDLE, SNAPLEN, Lab, send
from wire import HOSTS

VANTAGES = (*HOSTS, MIDDLE)

SCENARIOS = {}  # by name, in the order of the modules


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A function of a Lab, and what it needs."""
    name: str
    play: typing.Callable
    meaning: str            # one sentence
    look: str = ""          # a display filter that shows the point of it; only bundled ones have it
    at: str = "client"      # where to capture the bundled one
    ethernet: bool = False  # Ethernet frames, which know no direction; else Linux cooked
    ipv6: bool = False
    mptcp: tuple = ()       # the hosts that use Multipath TCP
    sysctls: dict = dataclasses.field(default_factory=dict)  # of both hosts
    machine_sysctls: dict = dataclasses.field(default_factory=dict)  # of the host that is a machine of its own, a stack
    only: str = ""          # capture filter of the hosts
    snaplen: int = SNAPLEN  # bytes kept of each frame
    midstream: bool = False  # the function itself starts the captures

    def missing(self, stacks=None):
        """What this kernel lacks for it, or nothing. stacks: as of record()."""
        if self.machine_sysctls and not stacks:
            return f"a machine for it alone: {', '.join(self.machine_sysctls)} is of no namespace, but of all"
        return "Multipath TCP" if self.mptcp and not os.path.exists("/proc/sys/net/mptcp") else ""

    def record(self, folder, vantages=(), poll_every_s=kernel.POLL_EVERY_S, stacks=None, prefix=""):
        """Play it in a new lab, and write NAME.states and NAME.pcap into a folder. vantages: instead,
        NAME-VANTAGE.pcap from each of them. poll_every_s, stacks: see Lab. prefix: before NAME."""
        stem = os.path.join(folder, prefix + self.name)
        paths = {at: f"{stem}-{at}.pcap" for at in vantages} or {self.at: f"{stem}.pcap"}
        with Lab(ethernet=self.ethernet, ipv6=self.ipv6, sysctls=self.sysctls, mptcp=self.mptcp,
                 poll_every_s=poll_every_s, stacks=stacks) as lab:
            for name in stacks or {}:
                lab.hosts[name].set_sysctls(self.machine_sysctls)
            def capture():
                for at, path in paths.items():
                    lab.capture(at, path, self.only, self.snaplen)
            if self.midstream:
                self.play(lab, capture)
            else:
                capture()
                self.play(lab)
            lab.settle()
            states = lab.finish()
        with open(f"{stem}.states", "w", encoding="ascii") as file:
            file.write(states)


def enter(name, play, meaning, **needs):
    """Enter a function of a Lab among the SCENARIOS; for the needs see Scenario."""
    if name in SCENARIOS:
        raise ValueError(f"two scenarios of the name {name}")
    SCENARIOS[name] = Scenario(name, play, meaning, **needs)


def scenario(meaning, **needs):
    """Enter the function that follows, under its own name with hyphens."""
    def decorate(play):
        enter(play.__name__.replace("_", "-"), play, meaning, **needs)
        return play
    return decorate


def talk(client, server):
    """One request and its answer."""
    send(client, server, b"Are you there?\n")
    send(server, client, b"Yes.\n")


def close(lab, *ends):
    """Close one end after the other, each when the wire has fallen silent."""
    for end in ends:
        lab.settle()
        end.close()
    lab.settle()


# They enter their scenarios by the functions above.
from scenarios import closing, opening, aborts, losses, services, mishaps, strays, resets  # noqa: E402,F401,I001
