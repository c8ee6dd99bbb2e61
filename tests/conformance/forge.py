# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments on the wire that no kernel sent.

They are known in captures by a mark. In IPv4: an identification and no Don't Fragment, where Linux,
which discovers path MTUs, sets that flag in every packet of TCP. In IPv6: a flow label, where the
lab's hosts set none.
"""

import os
import socket
import struct
import sys

from lab import ADDRESSES, PORTS
from wire import HOSTS

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "test-captures"))

import packets  # noqa: E402  (found only now)

MARK = 0xF04E  # IPv4 identification, IPv6 flow label


def forge(lab, sender, flags, offset):
    """Put a segment of the connection between the usual ports on the wire, in the sender's name.
    flags: names. offset: of its number from the next that the receiver expects."""
    receiver = HOSTS[1 - HOSTS.index(sender)]
    received = lab.wire.last(receiver)
    if received.acknowledges:
        seq, ack = received.ack + offset, received.next_seq
    else:  # a receiver that has sent but a SYN goes by what is acknowledged
        seq, ack = 0, received.next_seq + offset
    addresses = ADDRESSES[sender][lab.family], ADDRESSES[receiver][lab.family]
    segment = packets.tcp(*addresses, PORTS[sender], PORTS[receiver], seq,
                          ack if "ACK" in flags else 0, flags)
    packet = packets.ip(*addresses, packets.TCP, segment, ident=MARK)
    if lab.family == socket.AF_INET6:
        packet = struct.pack("!I", 6 << 28 | MARK) + packet[4:]
    lab.wire.inject(sender, packet)
