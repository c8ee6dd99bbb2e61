# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that no kernel sent, put on the wire: each kind into every state of each end."""

import functools

from forge import forge
from scenarios import enter
from scenarios.positions import REACHABLE, reach
from wire import HOSTS

# What is sent: the flags, and how far its number is from the next that the receiver expects.
_STRAYS = {
    "rst-exact": (("RST", "ACK"), 0),
    "rst-in-window": (("RST", "ACK"), 1000),
    "rst-one-below": (("RST", "ACK"), -1),  # after a FIN, that FIN's own number
    "rst-below": (("RST", "ACK"), -5000),
    "rst-beyond-window": (("RST", "ACK"), 1_200_000_000),  # more than any window
    "bare-rst-exact": (("RST",), 0),
    "newer-syn": (("SYN",), 300_000),
    "older-syn": (("SYN",), -300_000),
    "ack-of-nothing": (("ACK",), -100),
}


def _play(lab, state, who, stray):
    position = reach(lab, state, who)
    flags, offset = _STRAYS[stray]
    forge(lab, HOSTS[1 - HOSTS.index(who)], flags, offset)
    lab.settle()
    position.mend()
    lab.settle(0.5)
    position.me.close()
    lab.settle()
    position.other.close()
    lab.settle(0.3)


# Over IPv6 a few, for what is shown does not depend on it.
_OVER_IPV6 = [("rst-exact", "ESTABLISHED"), ("rst-in-window", "CLOSE_WAIT"),
              ("newer-syn", "ESTABLISHED"), ("ack-of-nothing", "CLOSING")]

for _who in HOSTS:
    for _state in REACHABLE[_who]:
        for _stray in _STRAYS:
            enter(f"{_stray}-in-{_state.lower().replace('_', '-')}-of-{_who}",
                  functools.partial(_play, state=_state, who=_who, stray=_stray),
                  f"A stray segment ({_stray.replace('-', ' ')}) reaches the {_who} in {_state}.")
    for _stray, _state in _OVER_IPV6:
        enter(f"ipv6-{_stray}-in-{_state.lower().replace('_', '-')}-of-{_who}",
              functools.partial(_play, state=_state, who=_who, stray=_stray),
              f"A stray segment ({_stray.replace('-', ' ')}) reaches the {_who} in {_state}, "
              "over IPv6.", ipv6=True)
