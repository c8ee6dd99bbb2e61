# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures taken apart and put together: classic pcap of one link type, IP packets of TCP.

Many variants of one capture go into one file, each with addresses of its own, so that one tshark
reads hundreds of them. Checksums are left as they are: Wireshark checks none unless asked.
"""

import struct
from pathlib import Path
from typing import NamedTuple

# Octets before the IP header, by link type: Ethernet, raw IP, Linux cooked v1 and v2.
_LINK_OCTETS = {1: 14, 101: 0, 113: 16, 276: 20}
_TCP_FIXED = 20  # octets of a TCP header without options
MOST_VARIANTS = 1 << 16


class Record(NamedTuple):
    """A frame as captured."""
    time_us: int  # since 1970
    frame: bytes
    length: int   # on the wire


class Capture(NamedTuple):
    """A pcap."""
    link_type: int
    records: list  # of Record


def read(path):
    """The Capture in a classic microsecond or nanosecond pcap."""
    data = Path(path).read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<",
             b"\xa1\xb2\x3c\x4d": ">"}.get(data[:4])
    if order is None:
        raise ValueError(f"{path}: no classic pcap")
    per_us = 1000 if b"\x3c" in data[:4] else 1
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    records, at = [], 24
    while at + 16 <= len(data):
        seconds, fraction, captured, length = struct.unpack_from(order + "IIII", data, at)
        at += 16
        records.append(Record(seconds * 1000000 + fraction // per_us, data[at:at + captured], length))
        at += captured
    return Capture(link_type, records)


class Writer:
    """A pcap that grows."""

    def __init__(self, file, link_type):
        self._file = file
        self._at = ip_offset(link_type)
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type))

    def add(self, records, variant):
        """Add Records, between the addresses of a variant: see readdress()."""
        for record in records:
            frame = readdress(record.frame, self._at, variant)
            self._file.write(struct.pack("<IIII", *divmod(record.time_us, 1000000), len(frame), record.length) + frame)


def ip_offset(link_type):
    """Where the IP header begins in frames of a link type."""
    if link_type not in _LINK_OCTETS:
        raise ValueError(f"link type {link_type} is none of {list(_LINK_OCTETS)}")
    return _LINK_OCTETS[link_type]


def readdress(frame, at, variant):
    """A frame whose IP header begins at an offset, with both addresses of a variant's own: its number
    stands in the second and third octet of IPv4, and before the last 16 bits of IPv6."""
    number = struct.pack("!H", variant)
    if frame[at] >> 4 == 4:
        return frame[:at + 13] + number + frame[at + 15:at + 17] + number + frame[at + 19:]
    return frame[:at + 20] + number + frame[at + 22:at + 36] + number + frame[at + 38:]


def fixed_header_octets(frame, at):
    """How long a frame is that a snap length cuts at the end of the fixed TCP header."""
    ip_octets = (frame[at] & 15) * 4 if frame[at] >> 4 == 4 else 40
    return min(len(frame), at + ip_octets + _TCP_FIXED)
