# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of the lab that is another TCP stack: a driver, one of the programs of stacks/.

How the lab and a driver speak is told in stacks/README.md. A Stack takes the place of a Host of lab.py, and its
sockets that of Python's.
"""

import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

import kernel
import wire

TIMEOUT_S = 10          # of any single socket call
GAP_S = 0.002           # a driver dates a change no later than this, unless it tells of a larger gap
_READY_S = 40           # longest until a driver is there: a kernel has to boot
_ETHERNET = 1           # link type of a pcap
_LINUX_COOKED = 276     # the same, version 2: each frame tells its direction
_ARPHRD_NONE = 0xFFFE
_INCOMING, _OUTGOING = 0, 4
_LARGEST = 65536        # octets of a packet
_QUEUE_PACKETS = 512    # of a Unix socket; by default there are as few as ten
SO_TIMESTAMPNS = 35     # of asm/socket.h; Python's socket lacks it
# What all drivers do without being told.
_ALWAYS = {(socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.IPPROTO_TCP, socket.TCP_NODELAY)}
_SHUT = {socket.SHUT_WR: "shut", socket.SHUT_RD: "shut-read", socket.SHUT_RDWR: "shut-both"}


class Unable(Exception):
    """A stack cannot do what a scenario asks of it."""


def receive_dated(end):
    """The next packet of a Unix socket with SO_TIMESTAMPNS, and when it was sent in nanoseconds since the epoch."""
    packet, ancillary, _, _ = end.recvmsg(_LARGEST, socket.CMSG_SPACE(16))
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq", data)
            return packet, seconds * 1000000000 + nanoseconds
    return packet, time.time_ns()


class Port:
    """Where the wire ends at a driver: a Unix socket, which takes down what passes, for that host's capture."""

    def __init__(self, end, host, ethernet):
        self._end, self._host = end, host
        self.ethernet = ethernet  # the wire has headers of Ethernet, a driver none
        self._records = None  # (time in nanoseconds, packet type, frame), while it captures
        self.captured_until_s = float("inf")

    def fileno(self):
        """Its file descriptor."""
        return self._end.fileno()

    def read(self):
        """A frame that the driver sent: b"" once it has ended."""
        frame, sent_ns = receive_dated(self._end)  # this process may have been asleep since
        if frame and self.ethernet:
            frame = wire.ethernet_header(self._host, frame) + frame
        self._note(sent_ns, _OUTGOING, frame)
        return frame

    def write(self, frame):
        """Give the driver a frame. Where it is behind by too many, or has ended, the frame is lost."""
        time_ns = time.time_ns()
        try:
            self._end.send(frame[wire.ETHERNET_HEADER:] if self.ethernet else frame, socket.MSG_DONTWAIT)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return
        self._note(time_ns, _INCOMING, frame)

    def _note(self, time_ns, kind, frame):
        if self._records is not None and frame:
            self._records.append((time_ns, kind, frame))

    def capture(self, path, snaplen):
        """Begin a capture; gives what ends it."""
        self._records = []
        return _Capture(self, path, snaplen)

    def stop_capture(self):
        """What was captured, in order of time."""
        records, self._records = self._records, None
        self.captured_until_s = time.time()
        return sorted(records or [], key=lambda record: record[0])


class _Capture:
    """A capture at a Port."""

    def __init__(self, port, path, snaplen):
        self._port, self._path, self._snaplen = port, path, snaplen

    def stop(self):
        """Write what was captured."""
        with open(self._path, "wb") as file:
            link_type = _ETHERNET if self._port.ethernet else _LINUX_COOKED
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, self._snaplen, link_type))
            for time_ns, kind, frame in self._port.stop_capture():
                if not self._port.ethernet:
                    frame = struct.pack("!2sHIHBB8x", wire.ether_type(frame), 0, 1, _ARPHRD_NONE, kind, 0) + frame
                kept = frame[:self._snaplen]
                file.write(struct.pack("<IIII", *divmod(time_ns // 1000, 1000000), len(kept), len(frame)) + kept)

    def kill(self):
        """Forget it."""
        self._port.stop_capture()


def _processes_in(namespace):
    """The processes of a namespace for processes."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{process}/ns/pid") == namespace:
                found.append(process)
        except OSError:
            pass  # it has ended
    return found


class Stack:
    """A driver, and what it tells."""

    def __init__(self, name, command, address, peer, ethernet, inside):
        """name: of the host. command: of the driver. address, peer: this host's and the other's. ethernet: of the wire.
        inside: a context in which what is started is in a network namespace of its own."""
        self.name = name
        self.stack = ""        # name and version of the stack
        self._address = address
        self._changes = []     # of kernel.Change
        self._gap_s = GAP_S
        self._answers = {}     # (number, command) to (ok, error or unable; text)
        self._ended = False
        self._numbers = 0
        self._changed = threading.Condition()
        self._errors = tempfile.TemporaryFile()
        with inside():
            with open("/proc/sys/net/unix/max_dgram_qlen", "w", encoding="ascii") as file:
                file.write(str(_QUEUE_PACKETS))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in ours, theirs:  # when was it sent?
                end.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            # It goes before ordinary processes, though not as the recorders of kernels' states: it may be busy long.
            # It is the first process of a namespace, so that with it all end that it has started, whatever happens.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL",
                 "--mount-proc", "nice", "-n", "-20", "bash", "-c", f'exec "$@" 3<&{theirs.fileno()}', "bash",
                 *command, address, peer],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, pass_fds=[theirs.fileno()],
                text=True, bufsize=1)
        theirs.close()
        self._end = ours
        self.device = Port(ours, name, ethernet)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with self._changed:
            ready = self._changed.wait_for(lambda: self.stack or self._answers or self._ended, _READY_S)
            if not ready or not self.stack:
                self.close()
                for _, text in self._answers.values():
                    raise Unable(f"{os.path.basename(command[0])}: {text}")
                raise RuntimeError(f"the driver {command} does not start: {self._complaint()}")

    def close(self):
        """End the driver, and all that it has started."""
        try:
            namespace = os.readlink(f"/proc/{self._process.pid}/ns/pid_for_children")
        except FileNotFoundError:  # it has ended by itself: unshare ends once its namespace has (pid_namespaces(7))
            namespace = None
        self._process.kill()
        self._process.wait()
        self._end.close()
        deadline_s = time.monotonic() + TIMEOUT_S
        while left := _processes_in(namespace):
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.stack} has left processes: {left}")
            time.sleep(0.01)

    def _complaint(self):
        """The last that the driver wrote for people."""
        self._errors.seek(0)
        return self._errors.read()[-1000:].decode(errors="replace")

    def _read(self):
        """Take what the driver tells, in a thread of its own."""
        for line in self._process.stdout:
            with self._changed:
                self._take(line.split())
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, words):
        kind = words[0]
        if kind == "stack":
            self.stack = " ".join(words[1:])
        elif kind == "state":
            self._changes.append(kernel.Change(self.name, float(words[1]), *words[2:5]))
        elif kind == "gap":
            self._gap_s = max(self._gap_s, float(words[1]))
        else:
            self._answers[words[1], words[2]] = kind, " ".join(words[3:])

    # What a Lab asks of its hosts.

    def capture(self, path, only, snaplen):
        """Capture into a file."""
        if only:
            raise Unable("a capture at a driver has no filter")
        return self.device.capture(path, snaplen)

    def socket(self, family, protocol):
        """A new socket."""
        if protocol != socket.IPPROTO_TCP:
            raise Unable("a driver speaks TCP alone")
        return StackSocket(self)

    def set_sysctls(self, sysctls):
        """Set these sysctls of Linux, name to value."""
        for name, value in sysctls.items():
            self.begin(name, "sysctl", name, value)
            self.wait(name, "sysctl", TIMEOUT_S)

    def stop(self):
        """End the recording: (list of Change, who told them and how exactly). Without what came after the capture."""
        with self._changed:
            return ([c for c in self._changes if c.time_s <= self.device.captured_until_s],
                    f"told by its stack, largest gap {self._gap_s * 1e3:.2f} ms")

    # Commands

    def next_number(self):
        """A number that no socket had."""
        self._numbers += 1
        return str(self._numbers)

    def begin(self, number, command, *words):
        """Give a command whose answer bears a number."""
        with self._changed:
            self._answers.pop((number, command), None)
        try:
            print(command, *words, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise RuntimeError(f"the driver has ended: {self._complaint()}") from None

    def wait(self, number, command, within_s):
        """The text of a command's answer."""
        with self._changed:
            if not self._changed.wait_for(lambda: (number, command) in self._answers or self._ended, within_s):
                raise TimeoutError(f"{self.stack} did not answer {command} within {within_s} s")
            if (number, command) not in self._answers:
                raise RuntimeError(f"the driver has ended: {self._complaint()}")
            kind, text = self._answers.pop((number, command))
        if kind == "unable":
            raise Unable(f"{self.stack}: {command} {text}".rstrip())
        if kind == "error":
            raise ConnectionError(f"{self.stack}: {command}: {text}")
        return text

    def note_listener(self, port, state):
        """Enter a change of a listening socket's state: a driver does not tell it."""
        with self._changed:
            self._changes.append(kernel.Change(self.name, time.time(), kernel.endpoint(self._address, port),
                                               kernel.endpoint("::" if ":" in self._address else "0.0.0.0", 0), state))


class StackSocket:
    """A socket of a driver's stack, with those of Python's methods that scenarios use. Its data are but lengths."""

    def __init__(self, host, number=None, peer=None):
        self._host = host
        self._number = number or host.next_number()
        self._peer = peer        # (address, port)
        self._port = None
        self._listens = False
        self._timeout_s = TIMEOUT_S
        self._begun = {}         # command to the number that its answer bears
        self._accepting = None   # the number of the socket to be accepted
        self._closed = False
        self._is_known = number is not None  # to the driver

    def _ask(self, command, *words, number=None):
        """Give a command, unless it is begun already, and wait for its answer."""
        if command not in self._begun:
            self._is_known = True
            self._begun[command] = number or self._number
            self._host.begin(self._begun[command], command, *words)
        if self._timeout_s == 0:
            raise BlockingIOError(command)
        try:
            text = self._host.wait(self._begun[command], command, self._timeout_s)
        except (ConnectionError, Unable):
            del self._begun[command]
            raise
        del self._begun[command]
        return text

    def _finish(self, command):
        """Wait for the answer of a command, if it is begun."""
        if command in self._begun:
            self._ask(command)

    def settimeout(self, timeout_s):
        """Seconds that a call may take."""
        self._timeout_s = timeout_s

    def setblocking(self, blocking):
        """Whether calls wait."""
        self._timeout_s = TIMEOUT_S if blocking else 0

    def setsockopt(self, level, option, value):
        """Set an option. value: a number or octets."""
        if (level, option) not in _ALWAYS:
            octets = struct.pack("=i", value) if isinstance(value, int) else value
            self._ask("option", self._number, level, option, octets.hex())

    def getpeername(self):
        """The other end."""
        return self._peer

    def bind(self, address):
        """Take a port of the host's address."""
        self._port = address[1]

    def listen(self, backlog=socket.SOMAXCONN):
        """Listen."""
        self._host.note_listener(self._port, "LISTEN")
        self._listens = True
        self._ask("listen", self._number, self._port, backlog)

    def accept(self):
        """The next connection, and its other end."""
        self._accepting = self._accepting or self._host.next_number()
        address, port = self._ask("accept", self._number, self._accepting, number=self._accepting).split()
        number, self._accepting = self._accepting, None
        peer = address, int(port)
        return StackSocket(self._host, number, peer), peer

    def connect(self, address):
        """Connect to a port of the other host."""
        self._peer = address
        self._ask("connect", self._number, self._port, address[1])

    def connect_ex(self, address):
        """The same; gives the number of the error."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno
        return 0

    def sendall(self, data):
        """Send so many octets."""
        self._finish("connect")
        self._finish("send")
        if data:
            self._ask("send", self._number, len(data))

    def recv(self, most):
        """Receive: as many octets as came."""
        self._finish("connect")
        return b"x" * int(self._ask("receive", self._number, most))

    def shutdown(self, how):
        """Shut down one direction or both."""
        self._ask(_SHUT[how], self._number)

    def close(self):
        """Close."""
        self._end("close")

    def abort(self):
        """Close with a RST."""
        self._end("abort")

    def _end(self, command):
        if self._closed:
            return
        self._closed = True
        if not self._is_known:
            return
        self._host.begin(self._number, command, self._number)
        try:
            self._host.wait(self._number, command, TIMEOUT_S)
        except ConnectionError:
            pass  # as close() of a kernel's socket does not fail
        if self._listens:
            self._host.note_listener(self._port, "CLOSED")
