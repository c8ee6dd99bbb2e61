# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts with real kernels, the wire between them, captures, and the states that the kernels tell.

    with Lab() as lab:
        lab.capture("client", "x.pcap")
        client, server = lab.connect()
        client.close()
        lab.settle()
        states = lab.finish()

A host can be another TCP stack instead, see stack.py. Else it is a network namespace without a name,
held open by this process and entered by the calling thread for as long as it takes to create a
socket there; so one thread holds the sockets of both hosts. Whatever happens, even SIGKILL, the kernel removes
namespaces, devices and processes with this one.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import time

import kernel
import stack
import tracing
from wire import HOSTS, Wire, mac_address

MIDDLE = "middle"     # of the wire, the third place where one can capture
CLIENT_PORT, SERVER_PORT = 40000, 5000
PORTS = {"client": CLIENT_PORT, "server": SERVER_PORT}
ADDRESSES = {
    "client": {socket.AF_INET: "10.9.0.1", socket.AF_INET6: "fd00:9::1"},
    "server": {socket.AF_INET: "10.9.0.2", socket.AF_INET6: "fd00:9::2"},
}
DELAY_S = 0.020       # of the wire, each way: far longer than the gap between two polls
QUIET_S = 0.150       # longer than any delayed acknowledgement on a wire at rest
SNAPLEN = 2048        # more than any frame; with tcpdump's own default few frames fit its buffer
TIMEOUT_S = stack.TIMEOUT_S

IPPROTO_MPTCP = 262   # of linux/in.h; Python's socket lacks it
_TCP_REPAIR = 19      # of linux/tcp.h, likewise

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 1, 2, 0x1000
_DEVICE = "wire"

# So that none but the scenario's packets are on the wire.
_NO_IPV6 = {"net.ipv6.conf.default.disable_ipv6": 1}
_SILENCE = {
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
    "net.ipv6.conf.default.addr_gen_mode": 1,
    "net.ipv6.auto_flowlabels": 0,  # see forge.py
}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


@contextlib.contextmanager
def _own_namespace_kept():
    """Bring the calling thread back to the namespace it is in, however this ends."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        yield
    finally:
        _call(_libc.setns, home, _CLONE_NEWNET)
        os.close(home)


def _set_sysctl(name, value):
    """Set a sysctl of the namespace that the calling thread is in."""
    with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
        file.write(str(value))


def _new_namespace():
    """An open descriptor of a new namespace."""
    with _own_namespace_kept():
        # A namespace takes the size of its socket table from the one it was made in. The default
        # would be as large as the machine's, and each poll would walk all of it. So
        # there is one in between, which is gone once its child is made.
        _call(_libc.unshare, _CLONE_NEWNET)
        _set_sysctl("net.ipv4.tcp_child_ehash_entries", 64)
        _call(_libc.unshare, _CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def try_namespace():
    """Raise OSError where the hosts cannot be made."""
    os.close(_new_namespace())


class _Device:
    """An open TUN or TAP device, where the wire ends at a kernel."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def fileno(self):
        """Its file descriptor."""
        return self._descriptor

    def read(self):
        """A frame that the kernel sent."""
        return os.read(self._descriptor, 65536)

    def write(self, frame):
        """Give the kernel a frame."""
        os.write(self._descriptor, frame)


class Host:
    """One network namespace with one device, an end of the wire."""

    def __init__(self, name, family, ethernet, sysctls):
        self.name = name
        with contextlib.ExitStack() as made:
            self._namespace = _new_namespace()
            made.callback(os.close, self._namespace)
            with self.inside():
                silence = _SILENCE if family == socket.AF_INET6 else _NO_IPV6
                for sysctl, value in (silence | sysctls).items():
                    _set_sysctl(sysctl, value)
                descriptor = os.open("/dev/net/tun", os.O_RDWR)
                made.callback(os.close, descriptor)
                kind = _IFF_TAP if ethernet else _IFF_TUN
                fcntl.ioctl(descriptor, _TUNSETIFF,
                            struct.pack("16sH22x", _DEVICE.encode(), kind | _IFF_NO_PI))
                self._configure(family, ethernet)
            self.device, self._ethernet = _Device(descriptor), ethernet
            self.stack = kernel.running()
            self.close = made.pop_all().close

    def _configure(self, family, ethernet):
        """Bring up the device. On Ethernet it knows its neighbour, so that no host need ask."""
        lines = ["link set lo up"]
        if ethernet:
            lines.append(f"link set {_DEVICE} address {mac_address(self.name).hex(':')}")
        lines.append(f"link set {_DEVICE} multicast off up")
        prefix = 64 if family == socket.AF_INET6 else 24
        lines.append(f"address add {ADDRESSES[self.name][family]}/{prefix} dev {_DEVICE}")
        if ethernet:
            other = HOSTS[1 - HOSTS.index(self.name)]
            lines.append(f"neighbour add {ADDRESSES[other][family]} dev {_DEVICE} "
                         f"lladdr {mac_address(other).hex(':')} nud permanent")
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True,
                       timeout=TIMEOUT_S)

    @contextlib.contextmanager
    def inside(self):
        """What the calling thread creates within this, sockets and processes, is this host's."""
        with _own_namespace_kept():
            _call(_libc.setns, self._namespace, _CLONE_NEWNET)
            yield

    def capture(self, path, only, snaplen):
        """Capture into a file."""
        return Capture(self, path, self._ethernet, only, snaplen)

    def socket(self, family, protocol):
        """A new socket."""
        with self.inside():
            return socket.socket(family, socket.SOCK_STREAM, protocol)

    def record(self, family, every_s):
        """Begin to record the states of its sockets. every_s: pause between two polls."""
        with self.inside():
            return kernel.Recorder(self.name, "tcp6" if family == socket.AF_INET6 else "tcp", every_s)


@contextlib.contextmanager
def _inside_new_namespace():
    """What is started within this is in a network namespace of its own."""
    namespace = _new_namespace()
    try:
        with _own_namespace_kept():
            _call(_libc.setns, namespace, _CLONE_NEWNET)
            yield
    finally:
        os.close(namespace)


class Capture:
    """A tcpdump on one host."""

    def __init__(self, host, path, ethernet, only, snaplen):
        device = _DEVICE if ethernet else "any"
        with host.inside():
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "tcpdump", "-i", device, "--immediate-mode",
                 "-U", "-Z", "root", "-s", str(snaplen), "-w", path, *only.split()],
                stderr=subprocess.PIPE, bufsize=0)
        said = b""
        while b"listening on" not in said:
            if not select.select([self._process.stderr], [], [], TIMEOUT_S)[0]:
                said += b" (timeout)"
                break
            line = self._process.stderr.readline()
            if not line:
                break
            said += line
        if b"listening on" not in said:
            self.kill()
            raise RuntimeError(f"tcpdump on the {host.name} does not listen: {said.decode()}")

    def stop(self):
        """End the capture, which must hold all that passed."""
        self._process.send_signal(signal.SIGINT)
        said = self._process.communicate(timeout=TIMEOUT_S)[1].decode()
        if "0 packets dropped by kernel" not in said.splitlines():
            raise RuntimeError(f"the capture is not whole: {said}")

    def kill(self):
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()


class Lab:
    """Two hosts and the wire, for the length of a with statement."""

    def __init__(self, *, ethernet=False, ipv6=False, sysctls=None, mptcp=(), delay_s=DELAY_S,
                 poll_every_s=kernel.POLL_EVERY_S, stacks=None):
        """ethernet: TAP devices instead of TUN. sysctls: name to value, the same on both hosts.
        mptcp: the hosts that use Multipath TCP. delay_s: of the wire, each way. poll_every_s: pause
        between two looks at the states. stacks: host to the command of a driver that it is, instead of a kernel.
        """
        stacks = stacks or {}
        if stacks and mptcp:
            raise stack.Unable("a driver speaks TCP alone")
        self._mptcp = mptcp
        self.ethernet = ethernet
        self.family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._captures = []
        with contextlib.ExitStack() as made:
            self.hosts = {}
            for name in HOSTS:
                if name in stacks:
                    peer = HOSTS[1 - HOSTS.index(name)]
                    self.hosts[name] = stack.Stack(name, stacks[name], ADDRESSES[name][self.family],
                                                   ADDRESSES[peer][self.family], ethernet, _inside_new_namespace)
                else:
                    self.hosts[name] = Host(name, self.family, ethernet, sysctls or {})
                made.callback(self.hosts[name].close)
                if name in stacks:
                    self.hosts[name].set_sysctls(sysctls or {})
            self._tracer = tracing.Tracer()
            made.callback(self._tracer.close)
            self.wire = Wire({name: host.device for name, host in self.hosts.items()},
                             delay_s, ethernet)
            made.callback(self.wire.close)
            self._recorders = dict(self.hosts)
            for name in self.kernels:
                self._recorders[name] = self.hosts[name].record(self.family, poll_every_s)
                made.callback(self._recorders[name].kill)
            self._made = made.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._made.close()

    def capture(self, at, path, only="", snaplen=SNAPLEN):
        """Capture into a file, on a host or in the middle of the wire, where all is captured. only:
        a filter. snaplen: bytes kept of each frame."""
        if any(at == already for already, _ in self._captures):
            raise ValueError(f"the {at} captures already")
        if at == MIDDLE:
            self.wire.capture(path)
            self._captures.append((at, None))
            return
        capture = self.hosts[at].capture(path, only, snaplen)
        self._captures.append((at, capture))
        self._made.callback(capture.kill)

    def finish(self):
        """End captures and recording, and give the text of the .states file."""
        for at, capture in self._captures:
            if at == MIDDLE:
                self.wire.stop_capture()
            else:
                capture.stop()
        told = self._tracer.stop([
            kernel.Reset(s.sender, time_s, *self._ends(s), "RST,ACK" if s.acknowledges else "RST", kernel.UNTOLD, s.seq)
            for time_s, s in self.wire.resets_sent if s.sender in self.kernels])
        return kernel.timeline(self._recorders, {name: host.stack for name, host in self.hosts.items()},
                               " and ".join(at for at, _ in self._captures), told)

    @property
    def kernels(self):
        """The names of the hosts that are this machine's kernel."""
        return [name for name, host in self.hosts.items() if isinstance(host, Host)]

    def _ends(self, segment):
        """Both ends of a Segment, its sender's first."""
        receiver = HOSTS[1 - HOSTS.index(segment.sender)]
        return (kernel.endpoint(ADDRESSES[segment.sender][self.family], segment.source_port),
                kernel.endpoint(ADDRESSES[receiver][self.family], segment.destination_port))

    # Sockets

    def socket(self, host, port):
        """A new TCP socket of a host, bound to a port. The lab closes it in the end."""
        protocol = IPPROTO_MPTCP if host in self._mptcp else socket.IPPROTO_TCP
        made = self.hosts[host].socket(self.family, protocol)
        self._made.callback(made.close)
        made.settimeout(TIMEOUT_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(self.address(host, port))
        return made

    def address(self, host, port):
        """The address of a host's port, as connect() and sendto() take it."""
        return ADDRESSES[host][self.family], port

    def listen(self, backlog=128):
        """The server's listening socket. backlog: how many connections may wait for accept()."""
        listener = self.socket("server", SERVER_PORT)
        listener.listen(backlog)
        return listener

    def accept(self, listener):
        """The server's next connection."""
        server = listener.accept()[0]
        self._made.callback(server.close)
        server.settimeout(TIMEOUT_S)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def accept_from(self, listener):
        """The server's next connection, and before it the client's port."""
        server = self.accept(listener)
        return server.getpeername()[1], server

    def connect(self, listener=None, port=CLIENT_PORT):
        """A connection, established on both hosts: (the client's socket, the server's)."""
        listener = listener or self.listen()
        client = self.socket("client", port)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(self.address("server", SERVER_PORT))
        server = self.accept(listener)
        self.settle()
        return client, server

    def start_connecting(self, host="client", port=None):
        """A socket of a host that has begun to connect to the other, from its port or another."""
        other = HOSTS[1 - HOSTS.index(host)]
        connecting = self.socket(host, port or PORTS[host])
        connecting.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connecting.connect(self.address(other, PORTS[other]))
        connecting.settimeout(TIMEOUT_S)
        return connecting

    # Time

    def settle(self, quiet_s=QUIET_S):
        """Wait until the wire is silent: all is delivered, acknowledged and recorded. quiet_s: for
        how long; where something was lost, longer than it takes until it is sent again."""
        self.wire.settle(quiet_s)

    @staticmethod
    def idle(seconds):
        """Let time pass."""
        time.sleep(seconds)


def send(sender, receiver, data):
    """Send data (bytes) and wait until the other end has read it all."""
    sender.sendall(data)
    missing = len(data)
    while missing:
        got = len(receiver.recv(missing))
        if not got:
            raise RuntimeError(f"the connection ended {missing} bytes early")
        missing -= got


def abort(end):
    """Close with a RST."""
    if isinstance(end, stack.StackSocket):
        end.abort()
        return
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def crash(end):
    """End a socket in silence, as a host does that loses power: nothing is sent."""
    end.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    end.close()
