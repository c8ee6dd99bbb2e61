#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What does the running kernel do? The facts that cases rest on, asked of it over a TUN device.

    kernel_talks.py [--list] [TALK ...]      default: all

The kernel is the end 10.9.0.1 in a network namespace made here; all that the other end, 10.9.0.2, sends
is made by hand, segment by segment. Each talk states what the kernel must answer and what state it must
be in. Exit status 1 if a fact is none; 77 if this machine has no namespaces or TUN devices.
"""

import argparse
import contextlib
import os
import select
import socket
import struct
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent / "conformance"), str(HERE.parent.parent / "test-captures")]

import kernel  # noqa: E402  (found only now)
import lab  # noqa: E402
import packets  # noqa: E402

KERNEL, PEER = packets.CLIENT4, packets.SERVER4
PEER_PORT, KERNEL_PORT = 40000, 80
ANSWER_S = 0.5       # the longest that the kernel takes to answer
SETTLE_S = 0.02      # until its state has changed
UNABLE = 77
_BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}


class Talk:
    """One namespace, one connection between a socket of the kernel and the hand-made end."""

    def __init__(self, sysctls=None):
        self._host = lab.Host("client", socket.AF_INET, False, sysctls or {})
        self.device = self._host.device.fileno()
        self._sockets = []
        self.iss = self.iss_kernel = 0
        self.ts = None     # of the hand-made end's segments, if it uses time stamps
        self.ts_kernel = 0

    def close(self):
        """The end of all."""
        for each in self._sockets:
            each.close()
        self._host.close()

    def socket(self):
        """A socket of the kernel's."""
        with self._host.inside():
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(2)
        self._sockets.append(made)
        return made

    def listen(self):
        """Listen on the kernel's port."""
        listener = self.socket()
        listener.bind((KERNEL, KERNEL_PORT))
        listener.listen()
        return listener

    def send(self, flags, seq, ack=0, octets=0):
        """Send a segment: numbers from the initial ones, which the SYN has."""
        options = b""
        if "S" in flags:
            options += struct.pack("!BBH", 2, 4, 1460)
        if self.ts is not None and "R" not in flags:
            options += struct.pack("!BBBBII", 1, 1, 8, 10, self.ts, self.ts_kernel if "A" in flags else 0)
        names = [name for name, bit in (("FIN", "F"), ("SYN", "S"), ("RST", "R"), ("PSH", "P"), ("ACK", "A"))
                 if bit in flags]
        segment = packets.tcp(PEER, KERNEL, PEER_PORT, KERNEL_PORT, self.iss + seq,
                              self.iss_kernel + ack if "A" in flags else 0, names, 64240, b"x" * octets, options)
        os.write(self.device, packets.ip(PEER, KERNEL, packets.TCP, segment))

    def receive(self, within_s=ANSWER_S):
        """The kernel's next segment: (flags, relative number, relative acknowledgement), or None."""
        end_s = time.monotonic() + within_s
        while select.select([self.device], [], [], max(0, end_s - time.monotonic()))[0]:
            packet = os.read(self.device, 65536)
            if packet[0] >> 4 != 4 or packet[9] != packets.TCP:
                continue
            header = packet[(packet[0] & 15) * 4:]
            seq, ack = struct.unpack_from("!II", header, 4)
            bits = header[13]
            if bits & 2:
                self.iss_kernel = seq
            self._note_time_stamp(header)
            flags = "".join(letter for letter in "SFRPA" if bits & _BITS[letter])
            return flags, _signed(seq - self.iss_kernel), _signed(ack - self.iss) if bits & 16 else 0
        return None

    def _note_time_stamp(self, header):
        options = header[20:(header[12] >> 4) * 4]
        at = 0
        while at < len(options) and options[at]:
            if options[at] == 8:
                self.ts_kernel = struct.unpack_from("!I", options, at + 2)[0]
            at += 1 if options[at] == 1 else options[at + 1]

    def state(self):
        """The state of the kernel's end of the connection."""
        time.sleep(SETTLE_S)
        with self._host.inside(), open("/proc/thread-self/net/tcp", encoding="ascii") as table:
            rows = [line.split()[1:4] for line in table.readlines()[1:]]
        wanted = f"{_encode(PEER)}:{PEER_PORT:04X}"
        found = [kernel.STATES[int(row[2], 16)] for row in rows if row[1] == wanted]
        return found[0] if found else "CLOSED"

    # Ways to begin

    def open(self, iss=100000, ts=None):
        """An established connection that the hand-made end opened: the kernel's socket."""
        listener = self.listen()
        self.iss, self.ts = iss, ts
        self.send("S", 0)
        expect(self.receive(), ("SA", 0, 1), "answer to the SYN")
        self.send("A", 1, 1)
        accepted, _ = listener.accept()
        self._sockets.append(accepted)
        expect(self.state(), "ESTABLISHED", "state")
        return accepted

    def into_time_wait(self, ts=None):
        """The kernel closes first, the hand-made end second."""
        accepted = self.open(ts=ts)
        accepted.close()
        expect(self.receive(), ("FA", 1, 1), "FIN")
        self._tick()
        self.send("A", 1, 2)
        expect(self.state(), "FIN_WAIT_2", "state")
        self._tick()
        self.send("FA", 1, 2)
        expect(self.receive(), ("A", 2, 2), "ACK of the FIN")
        expect(self.state(), "TIME_WAIT", "state")

    def _tick(self):
        if self.ts is not None:
            self.ts += 10


def _signed(number):
    number %= 2**32
    return number - 2**32 if number >= 2**31 else number


def _encode(address):
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"


class NoFact(AssertionError):
    """The kernel did something else."""


def expect(found, wanted, what):
    """Compare."""
    if found != wanted:
        raise NoFact(f"{what}: {found}, expected {wanted}")


# The talks

def time_wait_lower_number_later_stamp(talk):
    """In TIME_WAIT a SYN with a lower number and a later time stamp is taken (RFC 6191)."""
    talk.into_time_wait(ts=1000)
    talk.iss, talk.ts = 50000, talk.ts + 8000
    talk.send("S", 0)
    expect(talk.receive(), ("SA", 0, 1), "answer to the SYN")
    expect(talk.state(), "SYN_RCVD", "state")


def time_wait_higher_number_earlier_stamp(talk):
    """In TIME_WAIT a SYN with a higher number and an earlier time stamp is dropped (PAWS) and acknowledged."""
    talk.into_time_wait(ts=100000)
    old = talk.iss
    talk.iss, talk.ts = 9000000, 5000
    talk.send("S", 0)
    flags, seq, ack = talk.receive()
    expect((flags, seq, _signed(ack + talk.iss - old)), ("A", 2, 2), "answer to the SYN")
    expect(talk.state(), "TIME_WAIT", "state")
    talk.iss, talk.ts = old, None
    talk.send("R", 2)
    expect(talk.state(), "CLOSED", "state after the RST that such an ACK draws")


def time_wait_higher_number(talk):
    """In TIME_WAIT without time stamps a SYN with a higher number is taken."""
    talk.into_time_wait()
    talk.iss = 9000000
    talk.send("S", 0)
    expect(talk.receive(), ("SA", 0, 1), "answer to the SYN")


def time_wait_lower_number(talk):
    """In TIME_WAIT without time stamps a SYN with a lower number is not taken, but acknowledged."""
    talk.into_time_wait()
    old, talk.iss = talk.iss, 50000
    talk.send("S", 0)
    flags, seq, ack = talk.receive()
    expect((flags, seq, _signed(ack + talk.iss - old)), ("A", 2, 2), "answer to the SYN")
    expect(talk.state(), "TIME_WAIT", "state")


def reset_beyond_window(talk):
    """A RST beyond the window that the kernel offers is ignored; one within draws a challenge; an exact one ends."""
    talk.open()
    talk.send("RA", 1 + 0x100000, 1)
    expect(talk.receive(), None, "answer to a RST far beyond")
    expect(talk.state(), "ESTABLISHED", "state")
    talk.send("RA", 101, 1)
    expect(talk.receive(), ("A", 1, 1), "answer to a RST within")
    expect(talk.state(), "ESTABLISHED", "state")
    talk.send("RA", 1, 1)
    expect(talk.state(), "CLOSED", "state after an exact RST")


def reset_after_data(talk):
    """A RST at its sender's highest number is exact once all before has arrived."""
    talk.open()
    for at in range(1, 14001, 1400):
        talk.send("PA", at, 1, 1400)
    while talk.receive(0.1):
        pass
    talk.send("RA", 14001, 1)
    expect(talk.state(), "CLOSED", "state")


def keep_alive_to_half_closed(talk):
    """A keep-alive that acknowledges the kernel's FIN, its number one below, leaves it in FIN_WAIT_1; an ACK not."""
    accepted = talk.open()
    talk.send("PA", 1, 1, 10)
    talk.receive()
    accepted.recv(10)
    accepted.shutdown(socket.SHUT_WR)
    expect(talk.receive(), ("FA", 1, 11), "FIN")
    talk.send("A", 10, 2)
    state = talk.state()
    talk.send("A", 11, 2)
    expect((state, talk.state()), ("FIN_WAIT_1", "FIN_WAIT_2"), "states after keep-alive, after an ACK")


def old_syn_duplicate(talk):
    """A stray SYN, number and time stamp lower, leaves ESTABLISHED as it is; an ACK answers."""
    talk.open(iss=100000, ts=1000)
    old = talk.iss
    talk.iss, talk.ts = 99950, 900
    talk.send("S", 0)
    flags, seq, ack = talk.receive()
    expect((flags, seq, _signed(ack + talk.iss - old)), ("A", 1, 1), "answer to the SYN")
    expect(talk.state(), "ESTABLISHED", "state")


def data_beyond_fin(talk):
    """Data beyond a FIN are dropped without an answer; data over the FIN's own number end the connection by RST."""
    talk.open()
    talk.send("FA", 1, 1)
    expect(talk.receive(), ("A", 1, 2), "ACK of the FIN")
    expect(talk.state(), "CLOSE_WAIT", "state")
    talk.send("PA", 2, 1, 39)
    expect((talk.receive(), talk.state()), (None, "CLOSE_WAIT"), "answer to data beyond the FIN, and state")
    talk.send("PA", 1, 1, 20)
    expect((talk.receive(), talk.state()), (("R", 1, 0), "CLOSED"), "answer to data over the FIN's number, and state")


def octet_at_fin_fills_hole(talk):
    """A FIN over a hole, then an octet at the FIN's own number, then what fills the hole: the FIN counts."""
    talk.open()
    talk.send("FA", 11, 1)
    expect(talk.receive(), ("A", 1, 1), "answer to the FIN")
    talk.send("PA", 11, 1, 1)
    talk.receive()
    expect(talk.state(), "ESTABLISHED", "state")
    talk.send("PA", 1, 1, 10)
    answer = talk.receive()
    while (more := talk.receive(0.1)) is not None:
        answer = more
    expect((answer, talk.state()), (("A", 1, 12), "CLOSE_WAIT"), "acknowledgement and state")


def eleven_octets_fill_hole(talk):
    """The same, but the segment that fills the hole reaches over the FIN's own number: the FIN is lost."""
    talk.open()
    talk.send("FA", 11, 1)
    expect(talk.receive(), ("A", 1, 1), "answer to the FIN")
    talk.send("PA", 1, 1, 11)
    answer = talk.receive()
    while (more := talk.receive(0.1)) is not None:
        answer = more
    expect((answer, talk.state()), (("A", 1, 12), "ESTABLISHED"), "acknowledgement and state")


def ack_in_syn_sent(talk):
    """In SYN_SENT a wrong ACK draws a RST without ACK at its acknowledgement number; the kernel calls on."""
    calling = talk.socket()
    calling.bind((KERNEL, KERNEL_PORT))
    calling.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        calling.connect((PEER, PEER_PORT))
    expect(talk.receive()[0], "S", "SYN")
    talk.iss = 300000
    talk.send("A", 1, 21)
    expect(talk.receive(), ("R", 21, 0), "answer to the ACK")
    expect(talk.state(), "SYN_SENT", "state")


def admin_prohibited_in_syn_sent(talk):
    """In SYN_SENT an ICMP error "administratively prohibited" ends the socket's attempt at once."""
    _icmp_in_syn_sent(talk, 13, "CLOSED")


def port_unreachable_in_syn_sent(talk):
    """So does "port unreachable"."""
    _icmp_in_syn_sent(talk, 3, "CLOSED")


def protocol_unreachable_in_syn_sent(talk):
    """So does "protocol unreachable"."""
    _icmp_in_syn_sent(talk, 2, "CLOSED")


def host_unreachable_in_syn_sent(talk):
    """"Host unreachable" does: a soft error in RFC 9293."""
    _icmp_in_syn_sent(talk, 1, "CLOSED")


def _icmp_in_syn_sent(talk, code, state):
    calling = talk.socket()
    calling.bind((KERNEL, KERNEL_PORT))
    calling.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        calling.connect((PEER, PEER_PORT))
    select.select([talk.device], [], [], 1)
    packet = os.read(talk.device, 65536)
    message = struct.pack("!BBHI", 3, code, 0, 0) + packet[:28]
    message = message[:2] + struct.pack("!H", packets.checksum(message)) + message[4:]
    os.write(talk.device, packets.ip(PEER, KERNEL, packets.ICMP, message))
    expect(talk.state(), state, "state")


TALKS = {function.__name__: function for function in (
    time_wait_lower_number_later_stamp, time_wait_higher_number_earlier_stamp, time_wait_higher_number,
    time_wait_lower_number, reset_beyond_window, reset_after_data, keep_alive_to_half_closed,
    old_syn_duplicate, data_beyond_fin, octet_at_fin_fills_hole, eleven_octets_fill_hole, ack_in_syn_sent,
    admin_prohibited_in_syn_sent, port_unreachable_in_syn_sent, protocol_unreachable_in_syn_sent,
    host_unreachable_in_syn_sent)}


def _inability():
    """Why this machine cannot, or nothing."""
    try:
        lab.try_namespace()
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"no network namespaces or TUN devices here: {error}"
    return ""


def main():
    """Hold the talks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="what there is to ask")
    parser.add_argument("talks", nargs="*", metavar="TALK")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.talks if name not in TALKS]
    if unknown:
        parser.error(f"no such talk: {', '.join(unknown)}")
    if arguments.list:
        for name, function in TALKS.items():
            print(f"{name:<40} {function.__doc__}")
        return
    reason = "only root may make network namespaces" if os.geteuid() else _inability()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(UNABLE)
    failed = 0
    print(f"Linux {os.uname().release}")
    for name in arguments.talks or TALKS:
        talk = Talk()
        try:
            TALKS[name](talk)
            print(f"yes  {TALKS[name].__doc__}")
        except (NoFact, OSError, TypeError) as error:
            failed += 1
            print(f"NO   {TALKS[name].__doc__}\n     {name}: {error}")
            if not isinstance(error, NoFact):
                traceback.print_exc()
        finally:
            talk.close()
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
