# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin shows on each segment of a capture.

sharkd tells: it starts once for all captures, which takes ten times as long as to read one.
"""

import re
from pathlib import Path
from typing import NamedTuple

import kernel
from forge import MARK
from lab import ADDRESSES
from wire import HOSTS

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

HOST_OF = {address: host for host in HOSTS for address in ADDRESSES[host].values()}

_FIELDS = ("frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst",
           "ipv6.dst", "tcp.dstport", "tcp.flags", "ip.id", "ip.flags.df",
           "ipv6.flow", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size_value",
           "tcp.options.timestamp.tsval", "tcp.options.timestamp.tsecr", "tcp.options.sack_le",
           "tcpstate.src", "tcpstate.dst", "tcpstate.local.confirmed", "tcpstate.remote.confirmed",
           "tcpstate.local.since", "tcpstate.remote.since")
# What there is once for each transition. (Names of states have no commas; those of events have.)
_STEPS = tuple(f"tcpstate.{end}.{what}" for end in ("local", "remote")
               for what in ("left", "entered", "event"))

_EVENTS_FILE = Path(__file__).resolve().parent.parent.parent / "plugin" / "machine" / "tcp_events.def"
_EVENT = re.compile("|".join(re.escape(name) for name in sorted(
    re.findall(r'^TCP_EVENT\([^"]*"([^"]+)"', _EVENTS_FILE.read_text(encoding="utf-8"), re.M),
    key=len, reverse=True)))


class Step(NamedTuple):
    """A transition as the plugin tells it."""
    left: str
    entered: str
    event: str


class Frame(NamedTuple):
    """A segment of the capture, and what the plugin shows of each host after it."""
    number: int
    time_s: float
    sender: str      # host
    ends: dict       # host to ADDRESS:PORT
    states: dict     # host to name
    confirmed: dict  # host to bool
    since: dict      # host to number of the frame in which it entered that state, 0: before
    steps: dict      # host to list of Step
    flags: int
    seq: int         # raw, as ack
    ack: int
    length: int      # of the payload, in octets
    forged: bool     # no kernel sent it
    identity: tuple  # the same wherever this segment is captured

    @property
    def next_seq(self):
        """The number after its last."""
        return self.seq + self.length + self.has(SYN) + self.has(FIN)

    def has(self, flag):
        """Whether that flag is set."""
        return bool(self.flags & flag)


class Reader:
    """A sharkd that reads one capture after the other."""

    def __init__(self, tshark):
        """tshark: the Tshark whose plugin it is."""
        self._sharkd = tshark.sharkd()
        # With the sender as the local end, local and remote are src and dst in each frame.
        self._sharkd.request("setconf", name="tcpstate.local_endpoint", value="sender")

    def read(self, capture):
        """The connections of a capture: (client's end, server's end) to list of Frame."""
        self._sharkd.load(capture)
        names = [f"{name}:1" for name in _FIELDS] + [f"{name}:0" for name in _STEPS]
        columns = {f"column{i}": name for i, name in enumerate(names)}
        connections = {}
        for row in self._sharkd.request("frames", **columns):
            frame = _parse(row["num"], row["c"])
            if "" in frame.states.values():
                raise ValueError(f"{capture}: frame {frame.number} shows no state")
            connections.setdefault(tuple(frame.ends[host] for host in HOSTS), []).append(frame)
        return connections


def _parse(number, row):
    """The Frame of these values of _FIELDS and _STEPS."""
    row, steps = row[:len(_FIELDS)], row[len(_FIELDS):]
    (time_s, source4, source6, source_port, destination4, destination6, destination_port, flags,
     identification, unfragmented, flow, *numbers) = row[:-6]
    states, truths, since = row[-6:-4], row[-4:-2], row[-2:]
    source, destination = source4 or source6, destination4 or destination6
    hosts = HOST_OF[source], HOST_OF[destination]
    ends = (kernel.endpoint(source, source_port), kernel.endpoint(destination, destination_port))
    forged = (identification.startswith(f"0x{MARK:04x}") and unfragmented != "Set"
              or flow != "" and int(flow, 16) == MARK)
    seq, ack, length = (int(n or 0) for n in numbers[:3])
    return Frame(number, float(time_s), hosts[0], dict(zip(hosts, ends)), dict(zip(hosts, states)),
                 dict(zip(hosts, (truth == "True" for truth in truths))),
                 dict(zip(hosts, (int(frame or 0) for frame in since))),
                 dict(zip(hosts, (_steps(*steps[:3]), _steps(*steps[3:])))),
                 int(flags, 16), seq, ack, length, forged,
                 (hosts[0], identification, flags, *numbers))


def _steps(left, entered, events):
    """The Steps of one end, from these three fields' values, joined by commas each."""
    return [Step(*each) for each in zip(left.split(","), entered.split(","),
                                        _EVENT.findall(events), strict=True)] if left else []
