# SPDX-License-Identifier: GPL-2.0-or-later
"""The first and only process of a User-mode Linux: makes its kernel a driver, see README.md and uml.py.

    uml_init.py ADDRESS PEER LINK_ADDRESS

What it is told and what it tells passes over the serial line.
"""

import contextlib
import ctypes
import fcntl
import gc
import os
import select
import socket
import struct
import sys
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import kernel  # noqa: E402  (found only now)

POLL_EVERY_S = 0.002
GAP_TOLD_S = 0.002   # between two polls; larger ones are told
DEVICE = b"vec0"
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSARP = 0x8916, 0x891C, 0x8913, 0x8914, 0x8955
_IFF_UP, _IFF_MULTICAST, _ATF_COM, _ATF_PERM, _ARPHRD_ETHER = 1, 0x1000, 2, 4, 1


def _internet(address):
    """A struct sockaddr_in."""
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _raise_device(plain, name):
    flags = struct.unpack("16xH22x", fcntl.ioctl(plain, _SIOCGIFFLAGS, struct.pack("16s24x", name)))[0]
    fcntl.ioctl(plain, _SIOCSIFFLAGS, struct.pack("16sH22x", name, (flags | _IFF_UP) & ~_IFF_MULTICAST))


def configure(address, peer, link_address):
    """Bring up the device, which knows its neighbour."""
    sysctl("net.ipv6.conf.default.disable_ipv6", "1", must=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        _raise_device(plain, b"lo")
        fcntl.ioctl(plain, _SIOCSIFADDR, struct.pack("16s16s8x", DEVICE, _internet(address)))
        fcntl.ioctl(plain, _SIOCSIFNETMASK, struct.pack("16s16s8x", DEVICE, _internet("255.255.255.0")))
        _raise_device(plain, DEVICE)
        link = struct.pack("=H14s", _ARPHRD_ETHER, bytes.fromhex(link_address.replace(":", "")))
        entry = _internet(peer) + link + struct.pack("=i16s16s", _ATF_COM | _ATF_PERM, b"", DEVICE)
        fcntl.ioctl(plain, _SIOCSARP, entry)


def sysctl(name, value, must=True):
    """Set a sysctl. must: raise OSError where there is no such."""
    path = "/proc/sys/" + name.replace(".", "/")
    if must or os.path.exists(path):
        with open(path, "w", encoding="ascii") as file:
            file.write(value)


class Kernel:
    """This kernel as a driver."""

    def __init__(self, line, address, peer):
        self._line, self._address, self._peer = line, address, peer
        self._sockets = {}   # number to socket
        self._pending = {}   # (number, command) to what is still to be done: a function that gives the answer, or None
        self._ahead_s = None  # this clock of the host's; polls begin when it is known
        self._read = b""
        self._known, self._names, self._text, self._polled_s = {}, {}, None, None
        self._largest_gap_s = GAP_TOLD_S
        self._table = os.open("/proc/net/tcp", os.O_RDONLY)

    def tell(self, text):
        """Write a line."""
        data = text.encode() + b"\n"
        while data:
            try:
                data = data[os.write(self._line, data):]
            except BlockingIOError:
                select.select([], [self._line], [])

    def run(self):
        """Serve for ever."""
        while True:
            # Sockets are tried again each time: what makes them ready differs, and the pause is short.
            if select.select([self._line], [], [], POLL_EVERY_S)[0]:
                *lines, self._read = (self._read + os.read(self._line, 4096)).split(b"\n")
                for line in lines:
                    self._take(line.decode().split())
            for (number, command), work in list(self._pending.items()):
                self._answer(number, command, work)
            if self._ahead_s is not None:
                self._look()

    def _look(self):
        """Tell what has changed in the table of sockets."""
        before, self._text = self._text, kernel.read_table(self._table)
        now_s = time.time() - self._ahead_s
        if self._text != before:
            now = kernel.states_in(self._text, self._names)
            for ends in self._known.keys() | now.keys():
                state = now.get(ends, "CLOSED")
                if state not in ("LISTEN", self._known.get(ends, "LISTEN" if state == "CLOSED" else None)):
                    self.tell(f"state {now_s:.6f} {ends[0]} {ends[1]} {state}")
            self._known = now
        if self._polled_s and now_s - self._polled_s > self._largest_gap_s:
            self._largest_gap_s = now_s - self._polled_s
            self.tell(f"gap {self._largest_gap_s:.6f}")
        self._polled_s = now_s

    def _take(self, words):
        """Begin a command."""
        command, *arguments = words
        number = arguments[command == "accept"] if arguments else "0"
        begin = getattr(self, f"begin_{command.replace('-', '_')}", None)
        if not begin:
            self.tell(f"unable {number} {command} unknown")
            return
        self._answer(number, command, lambda: begin(*arguments))

    def _answer(self, number, command, work):
        """Do some work of a command, which answers, or puts off what work it gives."""
        self._pending.pop((number, command), None)
        try:
            said = work()
        except BlockingIOError:
            self._pending[number, command] = work
        except (OSError, KeyError, ValueError) as error:
            self.tell(f"error {number} {command} {error!r}")
        else:
            if callable(said):
                self._answer(number, command, said)
            else:
                self.tell(" ".join(filter(None, ("ok", number, command, said))))

    def _make(self, number, port=None):
        """The socket of that number, made if there is none. port: to bind it to."""
        if number not in self._sockets:
            self._sockets[number] = _prepare(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            self._sockets[number].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port is not None:
            self._sockets[number].bind((self._address, int(port)))
        return self._sockets[number]

    # The commands. Each is done when it returns; a function that it returns is called again until it no longer
    # raises BlockingIOError.

    def begin_clock(self):
        """Tell the time, in CLOCK_REALTIME of this kernel."""
        return f"{time.time():.6f}"

    def begin_ahead(self, seconds):
        """This clock is so far ahead of the host's."""
        self._ahead_s = float(seconds)

    def begin_sysctl(self, name, *values):
        """Set a sysctl."""
        sysctl(name, " ".join(values))

    def begin_option(self, number, level, option, value):
        """Set a socket option. value: its octets, in hexadecimal."""
        self._make(number).setsockopt(int(level), int(option), bytes.fromhex(value))

    def begin_listen(self, number, port, backlog):
        """A listening socket."""
        self._make(number, port).listen(int(backlog))

    def begin_accept(self, listener, number):
        """Its next connection."""
        def accept():
            accepted, (address, port) = self._sockets[listener].accept()
            self._sockets[number] = _prepare(accepted)
            return f"{address} {port}"
        return accept

    def begin_connect(self, number, port, peer_port):
        """An active open; done once it is established."""
        connecting = self._make(number, port)

        def is_connected():
            error = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            try:
                connecting.getpeername()
            except OSError:
                raise BlockingIOError from None
        with contextlib.suppress(BlockingIOError):
            connecting.connect((self._peer, int(peer_port)))
        return is_connected

    def begin_send(self, number, octets):
        """Send; done once the kernel has taken all."""
        left = int(octets)

        def send():
            nonlocal left
            while left:
                left -= self._sockets[number].send(b"x" * min(left, 65536))
            return octets
        return send

    def begin_receive(self, number, octets):
        """Receive what there is."""
        return lambda: str(len(self._sockets[number].recv(min(int(octets), 65536))))

    def begin_shut(self, number, how=socket.SHUT_WR):
        """Send no more."""
        self._sockets[number].shutdown(how)

    def begin_shut_read(self, number):
        """Receive no more."""
        self.begin_shut(number, socket.SHUT_RD)

    def begin_shut_both(self, number):
        """Neither."""
        self.begin_shut(number, socket.SHUT_RDWR)

    def begin_close(self, number):
        """Close, whatever is pending."""
        for key in [key for key in self._pending if key[0] == number]:
            del self._pending[key]
        self._sockets.pop(number).close()

    def begin_abort(self, number):
        """Close with a RST."""
        self._sockets[number].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.begin_close(number)


def _prepare(made):
    """A socket that does not block, nor wait with small segments."""
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def main(address, peer, link_address, *_):
    """Be the driver. The kernel adds further arguments."""
    if ctypes.CDLL(None).mount(b"proc", b"/proc", b"proc", 0, None) != 0:
        sys.exit("/proc cannot be mounted")
    gc.disable()  # its pauses would be gaps
    line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    tty.setraw(line)
    configure(address, peer, link_address)
    driver = Kernel(line, address, peer)
    driver.tell(f"stack Linux {os.uname().release}")
    driver.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
