# SPDX-License-Identifier: GPL-2.0-or-later
"""The first and only process of a User-mode Linux: makes its kernel a driver, see README.md and uml.py.

    uml_init.py ADDRESS PEER LINK_ADDRESS FOLDER

LINK_ADDRESS: the peer's, of Ethernet. FOLDER: where its packages were unpacked, which has its modules.
What it is told and what it tells passes over the serial line.
"""

import ctypes
import gc
import os
import select
import socket
import struct
import subprocess
import sys
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import kernel  # noqa: E402  (found only now)

POLL_EVERY_S = 0.002
GAP_TOLD_S = 0.002   # between two polls; larger ones are told
DEVICE = "vec0"
# Until 6.12 IPv6 is a module.
_IPV6_MODULES = "lib/crc-ccitt.ko", "net/ipv6/ipv6.ko"
_FINIT_MODULE = 313  # the number of a system call, on amd64

_libc = ctypes.CDLL(None, use_errno=True)


def load_ipv6(folder):
    """Let this kernel have IPv6."""
    for name in _IPV6_MODULES:
        path = os.path.join(folder, "usr/lib/uml/modules", os.uname().release, "kernel", name)
        with open(path, "rb") as module:
            if _libc.syscall(_FINIT_MODULE, module.fileno(), b"", 0) != 0:
                raise OSError(ctypes.get_errno(), path)


def configure(address, peer, link_address):
    """Bring up the device, which knows its neighbour."""
    own = f"{address}/64 nodad" if ":" in address else f"{address}/24"
    lines = ("link set lo up", f"link set {DEVICE} multicast off up", f"address add {own} dev {DEVICE}",
             f"neighbour add {peer} dev {DEVICE} lladdr {link_address} nud permanent")
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, env={"PATH": os.defpath})


def sysctl(name, value):
    """Set a sysctl."""
    with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
        file.write(value)


class Kernel:
    """This kernel as a driver."""

    def __init__(self, line, address, peer):
        self._line, self._address, self._peer = line, address, peer
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sockets = {}   # number to socket
        self._pending = {}   # (number, command) to what is still to be done: a function that gives the answer, or None
        self._ahead_s = None  # this clock of the host's; polls begin when it is known
        self._read = b""
        self._known, self._names, self._text, self._polled_s = {}, {}, None, None
        self._largest_gap_s = GAP_TOLD_S
        self._table = os.open("/proc/net/tcp6" if ":" in address else "/proc/net/tcp", os.O_RDONLY)

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
            self._sockets[number] = _prepare(socket.socket(self._family, socket.SOCK_STREAM))
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
            accepted, (address, port, *_) = self._sockets[listener].accept()
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
        try:
            connecting.connect((self._peer, int(peer_port)))
        except BlockingIOError:
            return is_connected
        return None  # Fast Open: the SYN leaves with the first data

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


def main(address, peer, link_address, folder, *_):
    """Be the driver. The kernel adds further arguments."""
    if _libc.mount(b"proc", b"/proc", b"proc", 0, None) != 0:
        sys.exit("/proc cannot be mounted")
    gc.disable()  # its pauses would be gaps
    line = os.open("/dev/ttyS0", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    tty.setraw(line)
    if ":" in address and not os.path.exists("/proc/net/tcp6"):
        load_ipv6(folder)
    configure(address, peer, link_address)
    driver = Kernel(line, address, peer)
    driver.tell(f"stack Linux {os.uname().release}")
    driver.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
