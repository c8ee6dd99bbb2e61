# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin shows on each segment, as little as is needed, from one run of tshark."""

import re
from typing import NamedTuple

from tables import EVENTS

_EVENTS = {name: number for number, name in EVENTS.items() if name}
# An event by its number, or its name, which may have commas.
_EVENT = re.compile("|".join([r"\b\d+\b", *(re.escape(name) for name in sorted(_EVENTS, key=len, reverse=True))]))

_SENDER_IS_LOCAL = ["-o", "tcpstate.local_endpoint:sender"]
FIELDS = ("tcpstate.src.str", "tcpstate.dst.str", "tcpstate.local.confirmed",
          "tcpstate.remote.confirmed", "tcpstate.reset_cause.str", "tcpstate.reset_cause.confirmed",
          "tcpstate.local.event")
LIMIT_S = 300


class Shown(NamedTuple):
    """What is shown after a segment: of its sender, then of its receiver."""
    states: tuple      # names
    confirmed: tuple   # booleans
    events: tuple      # numbers of tcp_events.def: why the sender changed its state
    cause: str         # of a RST: why it was sent, "" of others
    cause_confirmed: bool


def read(tshark, capture):
    """A list of Shown, one for each frame of a capture that holds one segment in each; None where no
    state is shown."""
    words = [word for name in FIELDS for word in ("-e", name)]
    out = tshark.run(["-T", "fields", "-E", "separator=/t", *words, *_SENDER_IS_LOCAL], capture,
                     limit_s=LIMIT_S).stdout
    return [parse(line.split("\t")) for line in out.splitlines()]


def parse(row):
    """The Shown of the values of FIELDS, None if they tell of no state."""
    source, destination, of_source, of_destination, cause, of_cause, events = row
    if not source:
        return None
    return Shown((source, destination), (of_source in ("1", "True"), of_destination in ("1", "True")),
                 tuple(_EVENTS.get(event) or int(event) for event in _EVENT.findall(events)),
                 cause, of_cause in ("1", "True"))
