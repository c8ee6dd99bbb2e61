# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin shows on each segment of a capture.

sharkd tells. To open a file takes it far longer than to read one of these captures, so those of one link type are put
into one file, each between addresses of its own.
"""

import os
import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "field"))

import captures  # noqa: E402  (found only now)
import kernel  # noqa: E402
from forge import MARK  # noqa: E402
from lab import ADDRESSES  # noqa: E402
from wire import HOSTS  # noqa: E402

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

# By the last digit, which stays when captures are put together: (host, its own address) of IPv4, of IPv6.
_HOSTS = [{ADDRESSES[host][family][-1]: (host, ADDRESSES[host][family]) for host in HOSTS}
          for family in (socket.AF_INET, socket.AF_INET6)]

_FIELDS = ("frame.time_epoch", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst",
           "ipv6.dst", "tcp.dstport", "tcp.flags", "ip.id", "ip.flags.df",
           "ipv6.flow", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.window_size_value",
           "tcp.options.timestamp.tsval", "tcp.options.timestamp.tsecr", "tcp.options.sack_le",
           "tcpstate.src", "tcpstate.dst", "tcpstate.local.confirmed", "tcpstate.remote.confirmed",
           "tcpstate.local.since", "tcpstate.remote.since",
           "tcpstate.reset_cause", "tcpstate.reset_cause.confirmed")
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
    cause: str       # of a RST: why it was sent, "" of others
    cause_confirmed: bool
    identity: tuple  # the same wherever this segment is captured

    @property
    def next_seq(self):
        """The number after its last."""
        return self.seq + self.length + self.has(SYN) + self.has(FIN)

    def has(self, flag):
        """Whether that flag is set."""
        return bool(self.flags & flag)


class Reader:
    """A sharkd that reads captures."""

    def __init__(self, tshark):
        """tshark: the Tshark whose plugin it is."""
        self._sharkd = tshark.sharkd()
        # With the sender as the local end, local and remote are src and dst in each frame.
        self._sharkd.set("tcpstate.local_endpoint", "sender")

    def read(self, path):
        """The connections of a capture: (client's end, server's end) to list of Frame."""
        return self.read_all([path])[path]

    def read_all(self, paths):
        """The connections of each capture, by path."""
        by_link_type = {}
        for path in paths:
            capture = captures.read(path)
            by_link_type.setdefault(capture.link_type, {})[path] = capture.records
        found = {}
        for link_type, records in by_link_type.items():
            found |= self._read_file(link_type, records)
        return found

    def _read_file(self, link_type, records):
        """The same of captures of one link type. records: by path."""
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            writer = captures.Writer(file, link_type)
            for variant, own in enumerate(records.values(), 1):
                writer.add(own, variant)
            file.flush()
            self._sharkd.load(file.name)
        names = [f"{name}:1" for name in _FIELDS] + [f"{name}:0" for name in _STEPS]
        rows = [row["c"] for row in self._sharkd.request(
            "frames", **{f"column{number}": name for number, name in enumerate(names)})]
        found, before = {}, 0
        for path, own in records.items():
            found[path] = _connections(path, rows[before:before + len(own)], before)
            before += len(own)
        return found


def _connections(path, rows, before):
    """The connections of a capture, of whose file so many frames come before."""
    connections = {}
    for number, row in enumerate(rows, 1):
        frame = _parse(number, row, before)
        if "" in frame.states.values():
            raise ValueError(f"{path}: frame {number} shows no state")
        connections.setdefault(tuple(frame.ends[host] for host in HOSTS), []).append(frame)
    return connections


def _parse(number, row, before):
    """The Frame of these values of _FIELDS and _STEPS."""
    row, steps = row[:len(_FIELDS)], row[len(_FIELDS):]
    (time_s, source4, source6, source_port, destination4, destination6, destination_port, flags,
     identification, unfragmented, flow, *numbers) = row[:-8]
    states, truths, since, (cause, cause_confirmed) = row[-8:-6], row[-6:-4], row[-4:-2], row[-2:]
    by_digit = _HOSTS[source4 == ""]
    (sender, source), (receiver, destination) = (by_digit[address[-1]] for address in (
        source4 or source6, destination4 or destination6))
    hosts = sender, receiver
    ends = (kernel.endpoint(source, source_port), kernel.endpoint(destination, destination_port))
    forged = (identification.startswith(f"0x{MARK:04x}") and unfragmented != "Set"
              or flow != "" and int(flow, 16) == MARK)
    seq, ack, length = (int(n or 0) for n in numbers[:3])
    return Frame(number, float(time_s), sender, dict(zip(hosts, ends)), dict(zip(hosts, states)),
                 dict(zip(hosts, (truth == "True" for truth in truths))),
                 dict(zip(hosts, (int(frame) - before if frame else 0 for frame in since))),
                 dict(zip(hosts, (_steps(*steps[:3]), _steps(*steps[3:])))),
                 int(flags, 16), seq, ack, length, forged, cause, cause_confirmed == "True",
                 (sender, identification, flags, *numbers))


def _steps(left, entered, events):
    """The Steps of one end, from these three fields' values, joined by commas each."""
    return [Step(*each) for each in zip(left.split(","), entered.split(","),
                                        _EVENT.findall(events), strict=True)] if left else []
