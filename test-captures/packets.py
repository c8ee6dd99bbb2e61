#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames made by hand: link layers, IP, tunnels, ICMP errors and TCP, with right checksums.

Every function takes and returns bytes: a layer is a function of the layer it carries, so that
ethernet(gre(A, B, ip_tcp(...))) reads like the frame it makes. Nothing here knows of time
or chance; the same arguments always give the same bytes.
"""

import ipaddress
import struct

# The two ends of every connection that this project makes.
CLIENT4, SERVER4 = "10.9.0.1", "10.9.0.2"
CLIENT6, SERVER6 = "fd00:9::1", "fd00:9::2"
CLIENT_PORT, SERVER_PORT = 40000, 5000

# Link types as written into a pcap header.
ETHERNET, RAW_IP, IEEE802_11, LINUX_COOKED = 1, 101, 105, 113

# IP protocol numbers.
ICMP, IPIP, TCP, IPV6_IN_IP, GRE, ICMPV6 = 1, 4, 6, 41, 47, 58

FLAG_BITS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32}

_EPOCH_S = 1767225600  # 2026-01-01T00:00:00Z, where every capture begins


def checksum(data):
    """The Internet checksum (RFC 1071) of data."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _address(text):
    return ipaddress.ip_address(text).packed


def _with_checksum(src, dst, protocol, message, at):
    """Put into message, at offset `at`, its checksum over the pseudo-header of src and dst."""
    if len(_address(src)) == 4:
        pseudo = struct.pack("!BBH", 0, protocol, len(message))
    else:
        pseudo = struct.pack("!II", len(message), protocol)
    pseudo = _address(src) + _address(dst) + pseudo
    return message[:at] + struct.pack("!H", checksum(pseudo + message)) + message[at + 2:]


def tcp(src, dst, sport, dport, seq, ack, flags, window=65535, payload=b"", options=b"",
        header_words=None):
    """A TCP segment. flags: names from FLAG_BITS. options: bytes, a multiple of four.

    header_words overrides the header length field (in 32-bit words) with a lie.
    """
    words = header_words if header_words is not None else 5 + len(options) // 4
    bits = sum(FLAG_BITS[flag] for flag in flags)
    header = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, words << 4, bits,
                         window, 0, 0)
    return _with_checksum(src, dst, TCP, header + options + payload, 16)


def ip(src, dst, protocol, payload, ident=0, offset=0, more=False):
    """An IPv4 or IPv6 packet, as the addresses have it.

    ident, offset (in bytes) and more (fragments follow) are for IPv4 fragments; a packet with
    ident 0 says Don't Fragment, as Linux does.
    """
    src, dst = _address(src), _address(dst)
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + src + dst + payload
    fragment = (0 if ident else 0x4000) | (0x2000 if more else 0) | offset // 8
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, fragment, 64,
                         protocol, 0, src, dst)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ip_fragments(src, dst, protocol, payload, size, ident):
    """The IPv4 fragments of a packet, each with at most size bytes (a multiple of 8) of payload."""
    return [ip(src, dst, protocol, payload[at:at + size], ident, at, at + size < len(payload))
            for at in range(0, len(payload), size)]


def gre(src, dst, packet):
    """An IP packet in a GRE tunnel (RFC 2784) from src to dst."""
    return ip(src, dst, GRE, struct.pack("!HH", 0, _ethertype(packet)) + packet)


def ip_in_ip(src, dst, packet):
    """An IPv4 or IPv6 packet in an IPv4 tunnel (RFC 2003, RFC 4213) from src to dst."""
    return ip(src, dst, IPIP if packet[0] >> 4 == 4 else IPV6_IN_IP, packet)


def icmp_error(src, dst, packet, quoted_bytes=None, kind=None):
    """An ICMP error, from src to dst, about packet, quoting its first quoted_bytes (or all).

    kind: its type and code. Default: "packet too big".
    """
    quote = packet[:quoted_bytes]
    if packet[0] >> 4 == 6:
        message = struct.pack("!BBHI", *(kind or (2, 0)), 0, 1280) + quote
        return ip(src, dst, ICMPV6, _with_checksum(src, dst, ICMPV6, message, 2))
    message = struct.pack("!BBHHH", *(kind or (3, 4)), 0, 0, 1280) + quote
    return ip(src, dst, ICMP, message[:2] + struct.pack("!H", checksum(message)) + message[4:])


def _ethertype(packet):
    return 0x0800 if packet[0] >> 4 == 4 else 0x86DD


def _mac(end):
    """The hardware address of end 1 (A) or 2 (B)."""
    return bytes([2, 0, 0, 9, 0, end])


def ethernet(packet, from_a=True, vlan_ids=(), padded=False):
    """An Ethernet frame from A to B or back, with VLAN tags, padded to 60 bytes if asked."""
    src, dst = (1, 2) if from_a else (2, 1)
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlan_ids)
    frame = _mac(dst) + _mac(src) + tags + struct.pack("!H", _ethertype(packet)) + packet
    return frame.ljust(60, b"\0") if padded else frame


def linux_cooked(packet, outgoing):
    """A Linux cooked (v1) frame, which says whether the capturing host sent or received it."""
    return struct.pack("!HHH8sH", 4 if outgoing else 0, 1, 6, _mac(1 if outgoing else 2),
                       _ethertype(packet)) + packet


def a_msdu(packets):
    """An IEEE 802.11 QoS data frame from A whose A-MSDU aggregates the packets."""
    header = struct.pack("<BBH6s6s6sHH", 0x88, 0x01, 0, _mac(3), _mac(1), _mac(3), 0, 0x0080)
    subframes = b""
    for packet in packets:
        subframes += b"\0" * (-len(subframes) % 4)
        body = b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", _ethertype(packet)) + packet
        subframes += _mac(2) + _mac(1) + struct.pack("!H", len(body)) + body
    return header + subframes


def pcap(link_type, records):
    """The bytes of a classic microsecond pcap.

    records: (microseconds since 2026-01-01T00:00:00Z, frame, captured bytes or None for all).
    """
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type)]
    for time_us, frame, captured in records:
        seconds, microseconds = divmod(time_us, 1000000)
        kept = frame[:captured]
        out.append(struct.pack("<IIII", _EPOCH_S + seconds, microseconds, len(kept), len(frame)))
        out.append(kept)
    return b"".join(out)
