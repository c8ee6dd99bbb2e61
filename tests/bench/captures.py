#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The captures that the benchmark reads, of any length; the same bytes each time.

    tests/bench/captures.py short 1000000 /tmp/short.pcap

Each kind is a generator of frames; a longer capture of a kind begins with the frames of a shorter
one, so that the difference of two lengths is free of start-up. Checksums are left 0: nobody looks
at them unless a preference says so, and they are what would take longest to make.
"""

import argparse
import itertools
import socket
import struct
import sys

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SERVER_PORT = 5000
FIRST_PORT, PORTS = 10000, 50000    # a client address is good for that many connections
ISS_CLIENT, ISS_SERVER = 1000, 0x80000000
REQUEST, RESPONSE = 64, 256         # octets of payload
FULL = 536                          # of a full segment, the default MSS of RFC 9293

_EPOCH_S = 1767225600               # 2026-01-01T00:00:00Z
_STEP_US = 100                      # from one frame to the next
_SYN_OPTIONS = bytes.fromhex("020405b4 01030307")   # MSS 1460, window scale 7
_STAMP = bytes.fromhex("0101080a 00001000 00002000")    # timestamps, as Linux sends them on every segment
_ETHERNET = b"\x02\0\0\x09\0\x02\x02\0\0\x09\0\x01"


class End:
    """One direction of a connection: makes the frames that go from one socket to the other."""

    def __init__(self, src, dst, sport, dport, stamped=False):
        self._stamp = _STAMP if stamped else b""
        self._ports = struct.pack("!HH", sport, dport)
        if ":" in src:
            self._type, pack = b"\x86\xdd", lambda a: socket.inet_pton(socket.AF_INET6, a)
        else:
            self._type, pack = b"\x08\0", socket.inet_aton
        self._addresses = pack(src) + pack(dst)

    def frame(self, seq, ack, flags, length=0):
        """A frame with length octets of payload."""
        options = (_SYN_OPTIONS if flags & SYN else b"") + self._stamp
        tcp = self._ports + struct.pack("!IIBBHHH", seq % 2**32, ack % 2**32,
                                        (5 + len(options) // 4) << 4, flags, 501, 0, 0)
        size = len(tcp) + len(options) + length
        if len(self._addresses) == 8:
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, 6, 0)
        else:
            ip = struct.pack("!IHBB", 6 << 28, size, 6, 64)
        return b"".join((_ETHERNET, self._type, ip, self._addresses, tcp, options, b"." * length))


def client4(number):
    """The IPv4 address of a client, from a number below 2^22."""
    return f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _ends(number, version=4, stamped=False):
    """Both directions of the connection with that number, each number another pair of sockets."""
    host, port = number // PORTS, FIRST_PORT + number % PORTS
    client, server = ((client4(host), "10.9.0.2") if version == 4
                      else (f"fd00:9:1::{host + 1:x}", "fd00:9::2"))
    return (End(client, server, port, SERVER_PORT, stamped), End(server, client, SERVER_PORT, port, stamped))


def connection(number, version=4, stamped=False, exchanges=1):
    """The frames of a connection from SYN to TIME_WAIT: requests and their responses, a close. Ten, and three more for
    each further exchange."""
    client, server = _ends(number, version, stamped)
    c, s = ISS_CLIENT + 7 * number, ISS_SERVER + 7 * number
    yield client.frame(c, 0, SYN)
    yield server.frame(s, c + 1, SYN | ACK)
    yield client.frame(c + 1, s + 1, ACK)
    c, s = c + 1, s + 1
    for _ in range(exchanges):
        yield client.frame(c, s, PSH | ACK, REQUEST)
        c += REQUEST
        yield server.frame(s, c, PSH | ACK, RESPONSE)
        s += RESPONSE
        yield client.frame(c, s, ACK)
    yield client.frame(c, s, FIN | ACK)
    yield server.frame(s, c + 1, ACK)
    yield server.frame(s, c + 1, FIN | ACK)
    yield client.frame(c + 1, s + 1, ACK)


def download(number, opened=True):
    """An endless download: two full segments, one acknowledgement."""
    client, server = _ends(number)
    c, s = ISS_CLIENT, ISS_SERVER
    if opened:
        yield from itertools.islice(connection(number), 4)
        c, s = c + 7 * number + 1 + REQUEST, s + 7 * number + 1
    while True:
        yield server.frame(s, c, ACK, FULL)
        yield server.frame(s + FULL, c, ACK, FULL)
        s += 2 * FULL
        yield client.frame(c, s, ACK)


def _in_turn(flows):
    """One frame of each flow in turn, for ever."""
    flows = list(flows)
    while True:
        for flow in flows:
            yield next(flow)


def short():
    """Many short connections, one after the other."""
    for number in itertools.count():
        yield from connection(number)


def stamped():
    """The same with timestamps."""
    for number in itertools.count():
        yield from connection(number, stamped=True)


def ipv6():
    """The same over IPv6."""
    for number in itertools.count():
        yield from connection(number, version=6)


EXCHANGES = 9


def exchanges():
    """Connections of ten to 34 frames, one after the other."""
    for number in itertools.count():
        yield from connection(number, exchanges=1 + number % EXCHANGES)


def long():
    """Four long transfers at once."""
    return _in_turn(download(number) for number in range(4))


INTERLEAVED = 2000


def interleaved():
    """Short connections, 2,000 at once."""
    flows = ((frame for number in itertools.count(lane, INTERLEAVED) for frame in connection(number))
             for lane in range(INTERLEAVED))
    return _in_turn(flows)


def scan():
    """A SYN scan of many hosts: half of the ports refuse, the others are silent."""
    for number in itertools.count():
        scanner, target = f"10.9.0.1", client4(number // 1000)
        port = 1 + number % 1000
        yield End(scanner, target, 40000, port).frame(ISS_CLIENT, 0, SYN)
        if number % 2:
            yield End(target, scanner, port, 40000).frame(0, ISS_CLIENT + 1, RST | ACK)


def midstream():
    """Downloads that had begun before the capture, 500 at once."""
    return _in_turn(download(number, opened=False) for number in range(500))


KINDS = {kind.__name__: kind for kind in (short, stamped, exchanges, long, interleaved, ipv6, scan, midstream)}

# How many connections the first so many frames of a kind belong to.
CONNECTIONS = {
    "short": lambda packets: -(-packets // 10),
    "stamped": lambda packets: -(-packets // 10),
    "ipv6": lambda packets: -(-packets // 10),
    "exchanges": lambda packets: -(-packets // (7 + 3 * (EXCHANGES + 1) // 2)),
    "long": lambda packets: min(packets, 4),
    "interleaved": lambda packets: INTERLEAVED * (-(-packets // (10 * INTERLEAVED))),
    "scan": lambda packets: -(-packets * 2 // 3),
    "midstream": lambda packets: min(packets, 500),
}


def records(kind, packets, first=0):
    """The pcap records of the frames first to packets - 1 of a kind, as bytes."""
    pack = struct.Struct("<IIII").pack
    for number, frame in enumerate(itertools.islice(KINDS[kind](), first, packets), first):
        seconds, microseconds = divmod(number * _STEP_US, 1000000)
        yield pack(_EPOCH_S + seconds, microseconds, len(frame), len(frame)) + frame


HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


def write(kind, packets, path):
    """Write a pcap with the first so many packets of a kind."""
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(HEADER)
        file.writelines(records(kind, packets))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("packets", type=int)
    parser.add_argument("path")
    given = parser.parse_args()
    write(given.kind, given.packets, given.path)


if __name__ == "__main__":
    sys.exit(main())
