# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire between the two hosts: it delays every segment, and does to chosen ones what it is told.

A rule chooses by sender, kind and occurrence:

    wire.lose("client", FIN)                   # the client's first FIN
    wire.delay("server", DATA, by_s=0.1, nth=3)  # the server's third segment with data
    late = wire.hold("client", SYN); ...; late.release()

A kind is any function of a Segment. nth=EVERY means each one, until the rule's end().

The wire has a middle, where it can write a capture of its own: what it loses is lost behind that
point, what it delays is late there by half.
"""

import heapq
import itertools
import os
import select
import struct
import threading
import time
from typing import NamedTuple

HOSTS = ("client", "server")
EVERY = None
RAW_IP = 101  # link type of a pcap
ETHERNET_HEADER = 14  # octets
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16


class Segment(NamedTuple):
    """What a rule can choose by. The numbers are raw, lengths in bytes."""
    sender: str
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    length: int  # of the payload

    @property
    def next_seq(self):
        """The number after its last."""
        return self.seq + self.length + bool(self.flags & _SYN) + bool(self.flags & _FIN)

    @property
    def acknowledges(self):
        """Whether its ack means anything."""
        return bool(self.flags & _ACK)


def SYN(segment):
    """A SYN without ACK."""
    return segment.flags & (_SYN | _ACK) == _SYN


def SYN_ACK(segment):
    """A SYN with ACK."""
    return segment.flags & (_SYN | _ACK) == _SYN | _ACK


def ACK(segment):
    """An acknowledgement and nothing else."""
    return segment.flags & (_SYN | _FIN | _RST | _ACK) == _ACK and not segment.length


def DATA(segment):
    """A segment with payload."""
    return segment.length > 0


def FIN(segment):
    """A FIN, with or without data."""
    return bool(segment.flags & _FIN)


def RST(segment):
    """A RST, with or without ACK."""
    return bool(segment.flags & _RST)


def any_segment(segment):
    """Any segment."""
    return True


def _parse(sender, packet):
    """The Segment that an IP packet holds, or None where it holds none."""
    if packet[0] >> 4 == 4:
        header, protocol = (packet[0] & 15) * 4, packet[9]
        length = struct.unpack_from("!H", packet, 2)[0]
    else:
        header, protocol = 40, packet[6]
        length = 40 + struct.unpack_from("!H", packet, 4)[0]
    if protocol != 6:
        return None
    source, destination, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", packet, header)
    return Segment(sender, source, destination, seq, ack, flags,
                   length - header - (offset >> 4) * 4)


class Rule:
    """Calls action(receiver, frame) instead of delivering, on the occurrence that it waits for."""

    def __init__(self, sender, kind, nth, action):
        self.sender, self.kind, self.nth, self.action = sender, kind, nth, action
        self.count = 0
        self._ended = False

    def end(self):
        """Choose no more segments."""
        self._ended = True

    def chooses(self, segment):
        """Whether it is this segment that the rule waits for; counts it."""
        if self._ended or segment.sender != self.sender or not self.kind(segment):
            return False
        self.count += 1
        return self.nth is EVERY or self.count == self.nth


class Held:
    """Segments that the wire keeps back until they are released."""

    def __init__(self, wire):
        self._wire, self._kept = wire, []

    def _keep(self, receiver, frame):
        self._kept.append((receiver, frame))

    def release(self):
        """Deliver at once what was kept back, in order."""
        while self._kept:
            self._wire.carry(*self._kept.pop(0), after_s=0)


class Wire:
    """Carries frames between the devices of two hosts, in a thread of its own."""

    def __init__(self, devices, delay_s, ethernet):
        """devices: host name to what has fileno(), read() and write(), a frame each. delay_s: seconds each way."""
        self.delay_s = delay_s
        self.ethernet = ethernet
        self.seen = []       # every Segment that a host sent, in order
        self.resets_sent = []  # those with RST: (time in seconds since the epoch, Segment)
        self._devices = devices
        self._rules = []
        self._in_flight = []  # heap of (due, order, action, arguments), due by time.monotonic()
        self._order = itertools.count()
        self._busy_s = time.monotonic()  # when a frame was last sent or delivered
        self._capture = None  # the file of the middle's capture
        self._changed = threading.Condition()
        self._wake_read, self._wake_write = os.pipe()
        self._stopped = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    # Rules. The first that chooses a segment has it; all of them count it.

    def lose(self, sender, kind, nth=1):
        """Lose the nth segment of a kind."""
        return self.add(sender, kind, nth, lambda receiver, frame:
                        self.carry(receiver, frame, self.delay_s, arrives=False))

    def delay(self, sender, kind, by_s, nth=1):
        """Deliver the nth segment of a kind so many seconds later than the others."""
        return self.add(sender, kind, nth, lambda receiver, frame:
                        self.carry(receiver, frame, self.delay_s + by_s))

    def duplicate(self, sender, kind, nth=1, after_s=0.0):
        """Deliver the nth segment of a kind twice, the second time so many seconds later."""
        def twice(receiver, frame):
            self.carry(receiver, frame, self.delay_s)
            self.carry(receiver, frame, self.delay_s + after_s)
        return self.add(sender, kind, nth, twice)

    def hold(self, sender, kind, nth=1):
        """Keep the nth segment of a kind back, until release() of the Held that this gives."""
        held = Held(self)
        self.add(sender, kind, nth, held._keep)
        return held

    def add(self, sender, kind, nth, action):
        """Call action(receiver, frame) instead of delivering, on the nth segment of a kind: in the
        end it should carry() the frame. Gives the Rule."""
        if sender not in HOSTS:
            raise ValueError(f"no such host: {sender}")
        rule = Rule(sender, kind, nth, action)
        with self._changed:
            self._rules.append(rule)
        return rule

    def carry(self, receiver, frame, after_s, passes=True, arrives=True):
        """Let a frame pass the middle after half of so many seconds, and arrive after all of them."""
        with self._changed:
            now_s = time.monotonic()
            if passes and self._capture:
                self._schedule(now_s + after_s / 2, self._note, frame)
            if arrives:
                self._schedule(now_s + after_s, self._devices[receiver].write, frame)
        os.write(self._wake_write, b"x")

    def inject(self, sender, packet):
        """Deliver an IP packet (bytes) to the other host as if this one had sent it."""
        receiver = HOSTS[1 - HOSTS.index(sender)]
        header = ethernet_header(sender, packet) if self.ethernet else b""
        self.carry(receiver, header + packet, self.delay_s)

    # What passes by.

    def capture(self, path):
        """Write what passes the middle into a pcap of raw IP packets, until stop_capture()."""
        file = open(path, "wb")
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, RAW_IP))
        with self._changed:
            self._capture = file

    def stop_capture(self):
        """End the middle's capture, if there is one."""
        with self._changed:
            if self._capture:
                self._capture.close()
            self._capture = None

    def wait_for(self, sender, kind, nth=1, within_s=10):
        """Wait until the nth segment of a kind was sent, and give it."""
        deadline_s = time.monotonic() + within_s
        with self._changed:
            while True:
                found = [s for s in self.seen if s.sender == sender and kind(s)]
                if len(found) >= nth:
                    return found[nth - 1]
                if not self._changed.wait(deadline_s - time.monotonic()):
                    raise TimeoutError(f"the {sender} sent {len(found)} of the {nth} segments "
                                       f"({kind.__name__}) expected within {within_s} s")

    def last(self, sender):
        """The last segment that a host sent."""
        with self._changed:
            return next(s for s in reversed(self.seen) if s.sender == sender)

    def settle(self, quiet_s, within_s=10):
        """Wait until nothing was sent or under way for so many seconds, counted from now."""
        start_s = time.monotonic()
        with self._changed:
            while (now_s := time.monotonic()) < start_s + within_s:
                idle_s = now_s - max(start_s, self._busy_s)
                if not self._in_flight and idle_s >= quiet_s:
                    return
                self._changed.wait(max(quiet_s - idle_s, 0.001))
        raise TimeoutError(f"the wire did not fall silent within {within_s} s")

    def close(self):
        """Stop carrying. What is under way is lost."""
        self._stopped = True
        os.write(self._wake_write, b"x")
        self._thread.join()
        self.stop_capture()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _schedule(self, due_s, action, *arguments):
        heapq.heappush(self._in_flight, (due_s, next(self._order), action, arguments))

    def _note(self, frame):
        """Write a frame into the middle's capture."""
        if self._capture:
            packet = frame[ETHERNET_HEADER:] if self.ethernet else frame
            seconds, microseconds = divmod(time.time_ns() // 1000, 1000000)
            self._capture.write(struct.pack("<IIII", seconds, microseconds, *2 * (len(packet),)))
            self._capture.write(packet)

    def _carry(self):
        hosts = {device: host for host, device in self._devices.items()}
        while not self._stopped:
            ready = select.select([*hosts, self._wake_read], [], [], self._deliver())[0]
            for device in ready:
                if device == self._wake_read:
                    os.read(device, 4096)
                else:
                    self._take(hosts[device], device)

    def _deliver(self):
        """Hand over what is due. Gives the seconds until the next is, None if there is none."""
        with self._changed:
            while self._in_flight:
                wait_s = self._in_flight[0][0] - time.monotonic()
                if wait_s > 0:
                    return wait_s
                _, _, action, arguments = heapq.heappop(self._in_flight)
                action(*arguments)
                self._busy_s = time.monotonic()
                self._changed.notify_all()
        return None

    def _take(self, sender, device):
        """Receive a frame that a host sent, and do with it what the rules say."""
        frame = device.read()
        receiver = HOSTS[1 - HOSTS.index(sender)]
        segment = _parse(sender, frame[ETHERNET_HEADER:] if self.ethernet else frame)
        action = None
        with self._changed:
            if segment:
                self.seen.append(segment)
                if RST(segment):
                    self.resets_sent.append((time.time(), segment))
                chosen = [rule.action for rule in self._rules if rule.chooses(segment)]
                action = chosen[0] if chosen else None
            self._busy_s = time.monotonic()
            self._changed.notify_all()
        if action:
            action(receiver, frame)
        else:
            self.carry(receiver, frame, self.delay_s)


def mac_address(host):
    """The Ethernet address of a host's device (bytes), locally administered."""
    return bytes((2, 0, 0, 0, 9, HOSTS.index(host) + 1))


def ether_type(packet):
    """What an IP packet is on Ethernet (two bytes)."""
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


def ethernet_header(sender, packet):
    """The Ethernet header of a packet from a host."""
    receiver = HOSTS[1 - HOSTS.index(sender)]
    return mac_address(receiver) + mac_address(sender) + ether_type(packet)
