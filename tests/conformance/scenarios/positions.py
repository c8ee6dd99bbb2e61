# SPDX-License-Identifier: GPL-2.0-or-later
"""How to bring an end of a connection into each state, and to keep it there."""

import dataclasses
import socket
import typing

from scenarios import talk
from wire import ACK, EVERY, FIN, HOSTS, SYN, any_segment


@dataclasses.dataclass
class Position:
    """An end in the state that was asked for, the other end, and what keeps it there."""
    me: socket.socket     # None where it has no socket of its own
    other: socket.socket  # None likewise
    rules: list = dataclasses.field(default_factory=list)

    def mend(self):
        """The wire loses nothing any more."""
        for rule in self.rules:
            rule.end()


def _not_syn(segment):
    """Anything but a SYN without ACK."""
    return not SYN(segment)


def _peer(who):
    return HOSTS[1 - HOSTS.index(who)]


def _syn_sent(lab, who):
    rule = lab.wire.lose(who, any_segment, nth=EVERY)
    other = lab.listen() if who == "client" else lab.socket("client", 40000)
    return Position(lab.start_connecting(who), other, [rule])


def _syn_rcvd(lab, who):
    """The server's by a listener, the client's by a simultaneous open."""
    if who == "server":
        rule = lab.wire.lose("client", _not_syn, nth=EVERY)
        listener = lab.listen()
        return Position(listener, lab.start_connecting(), [rule])
    rule = lab.wire.lose("server", _not_syn, nth=EVERY)
    client, server = lab.start_connecting("client"), lab.start_connecting("server")
    return Position(client, server, [rule])


def _established(lab, who):
    ends = dict(zip(HOSTS, lab.connect()))
    talk(*ends.values())
    lab.settle()
    return Position(ends[who], ends[_peer(who)])


def _fin_wait_1(lab, who):
    position = _established(lab, who)
    position.rules.append(lab.wire.lose(who, FIN, nth=EVERY))
    position.me.shutdown(socket.SHUT_WR)
    return position


def _fin_wait_2(lab, who):
    position = _established(lab, who)
    position.me.shutdown(socket.SHUT_WR)
    return position


def _close_wait(lab, who):
    position = _established(lab, who)
    position.other.shutdown(socket.SHUT_WR)
    return position


def _closing(lab, who):
    position = _established(lab, who)
    position.rules.append(lab.wire.lose(_peer(who), ACK, nth=EVERY))
    for end in position.me, position.other:
        end.shutdown(socket.SHUT_WR)
    # The other end has this one's FIN but repeats its own, whose ACK it lacks, with an ACK of ours:
    position.rules.append(lab.wire.lose(_peer(who), _fin_again(), nth=EVERY))
    return position


def _fin_again():
    """A kind: FINs but the first."""
    seen = []

    def repeated_fin(segment):
        if FIN(segment):
            seen.append(segment)
        return FIN(segment) and len(seen) > 1
    return repeated_fin


def _last_ack(lab, who):
    position = _close_wait(lab, who)
    lab.settle()
    position.rules.append(lab.wire.lose(who, FIN, nth=EVERY))
    position.me.shutdown(socket.SHUT_WR)
    return position


def _time_wait(lab, who):
    position = _fin_wait_2(lab, who)
    lab.settle()
    position.other.close()
    return position


_WAYS: dict[str, typing.Callable] = {
    "SYN_SENT": _syn_sent, "SYN_RCVD": _syn_rcvd, "ESTABLISHED": _established,
    "FIN_WAIT_1": _fin_wait_1, "FIN_WAIT_2": _fin_wait_2, "CLOSE_WAIT": _close_wait,
    "CLOSING": _closing, "LAST_ACK": _last_ack, "TIME_WAIT": _time_wait,
}

REACHABLE = {host: tuple(_WAYS) for host in HOSTS}


def reach(lab, state, who):
    """A Position in which that host's end is in that state, and the wire silent."""
    position = _WAYS[state](lab, who)
    lab.settle(0.1)
    return position
