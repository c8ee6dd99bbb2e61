# SPDX-License-Identifier: GPL-2.0-or-later
"""Every mishap to every segment of an ordinary connection, by a table."""

import functools
import socket

from lab import CLIENT_PORT, SERVER_PORT
from scenarios import enter
from wire import ACK, DATA, FIN, SYN, SYN_ACK

# Each segment: its sender and kind. A rule that is made just before the segment leaves means it.
_SEGMENTS = {
    "syn": ("client", SYN),
    "syn-ack": ("server", SYN_ACK),
    "handshake-ack": ("client", ACK),
    "last-data": ("client", DATA),
    "fin": ("client", FIN),
    "ack-of-fin": ("server", ACK),
    "second-fin": ("server", FIN),
    "last-ack": ("client", ACK),
}

_MISHAPS = {
    "lost": lambda wire, *segment: wire.lose(*segment),
    "lost-twice": lambda wire, *segment: (wire.lose(*segment), wire.lose(*segment, nth=2)),
    "doubled": lambda wire, *segment: wire.duplicate(*segment),
    "doubled-late": lambda wire, *segment: wire.duplicate(*segment, after_s=0.7),
    "overtaken": lambda wire, *segment: wire.delay(*segment, by_s=0.015),
    "late": lambda wire, *segment: wire.delay(*segment, by_s=1.3),  # it is sent again before
}

_PATIENCE_S = 0.8  # until a segment is sent again that was lost twice


def _play(lab, segment, mishap, hasty):
    """hasty: what is sent one after the other leaves without a pause, so that it can be overtaken."""
    def at(*segments):
        if segment in segments:
            _MISHAPS[mishap](lab.wire, *_SEGMENTS[segment])

    def pause():
        if not hasty:
            lab.settle(_PATIENCE_S)

    listener = lab.listen()
    at("syn", "syn-ack", "handshake-ack")
    client = lab.socket("client", CLIENT_PORT)
    client.connect(lab.address("server", SERVER_PORT))
    pause()
    at("last-data")
    client.sendall(b"Good-bye.\n")
    pause()
    at("fin", "ack-of-fin")
    client.shutdown(socket.SHUT_WR)
    server = lab.accept(listener)
    pause()
    at("second-fin", "last-ack")
    while server.recv(100):
        pass
    server.sendall(b"Farewell.\n")
    server.close()
    lab.settle(_PATIENCE_S)
    while client.recv(100):
        pass
    client.close()


for _segment, (_sender, _kind) in _SEGMENTS.items():
    for _mishap in _MISHAPS:
        enter(f"{_segment}-{_mishap}",
              functools.partial(_play, segment=_segment, mishap=_mishap,
                                hasty=_mishap == "overtaken"),
              f"The {_sender}'s {_segment.replace('-', ' ')} is {_mishap.replace('-', ' ')}.")
