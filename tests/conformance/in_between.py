#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A router between two hosts: RSTs and FINs that its firewall or an injector sends are told from those of the hosts.

Three network namespaces, captured at the client. Skipped, with the reason, where they or nft cannot be had.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from tshark import Tshark  # noqa: E402

UNABLE = 77  # exit status
TRUE = ("1", "True")  # a boolean, by the series of Wireshark
CLIENT, ROUTER, SERVER = (f"tcpstate-{os.getpid()}-{name}" for name in ("client", "router", "server"))
LINKS = f"""
link add c0 netns {CLIENT} type veth peer name r0 netns {ROUTER}
link add s0 netns {SERVER} type veth peer name r1 netns {ROUTER}
"""
ADDRESSES = {CLIENT: ["c0 10.9.1.1 10.9.1.2"], SERVER: ["s0 10.9.2.1 10.9.2.2"],
             ROUTER: ["r0 10.9.1.2 -", "r1 10.9.2.2 -"]}
TIMEOUT_S = 20

SERVE = """
import socket, struct, sys, time
s = socket.create_server(("10.9.2.1", 5000))
print("listening", flush=True)
c, _ = s.accept()
for _ in range(4):
    c.recv(100)
    c.sendall(b"Yes.")
if sys.argv[1] == "abort":
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
elif sys.argv[1] == "talk":
    time.sleep(1)
    c.sendall(b"Are you there?")
    time.sleep(0.3)
else:
    c.recv(100)
"""
ASK = """
import socket, sys
c = socket.create_connection(("10.9.2.1", 5000))
for _ in range(4):
    c.sendall(b"Are you there?")
    c.recv(100)
print("answered", flush=True)
sys.stdin.readline()
try:
    c.sendall(b"Still?")
    c.recv(100)
except OSError:
    pass
"""
# At the word "go on", RSTs or FINs to the client in the name of the server: as far as it has come, by the hop limit that its
# own segments have here. Words, for each: RST or FIN, and what to add to number, identification and hop limit.
INJECT = """
import socket, struct, sys
sys.path.insert(0, sys.argv[1])
import packets
seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
seen.bind(("r1", 0))
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print("ready", flush=True)
sys.stdin.readline()
seen.setblocking(False)
last = None
while True:
    try:
        packet = seen.recv(2000)
    except BlockingIOError:
        break
    if packet[12:16] == socket.inet_aton("10.9.2.1"):
        last = packet
header = (last[0] & 15) * 4
source, destination, seq, ack = struct.unpack_from("!HHII", last, header)
length = len(last) - header - (last[header + 12] >> 4) * 4
ident = struct.unpack_from("!H", last, 4)[0]
for words in sys.argv[2:]:
    flag, *additions = words.split(",")
    further, jump, nearer = map(int, additions)
    segment = packets.tcp("10.9.2.1", "10.9.1.1", source, destination, seq + length + further, ack, [flag, "ACK"])
    made = packets.ip("10.9.2.1", "10.9.1.1", packets.TCP, segment, ident=(ident + jump) % 65536 if jump else 0)
    made = made[:8] + bytes([last[8] - 1 + nearer]) + made[9:]
    out.sendto(made, ("10.9.1.1", 0))
print("sent", flush=True)
"""


def inability():
    """Why this cannot be tried here, or nothing."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [program for program in ("ip", "nft", "tcpdump") if not shutil.which(program)]
    return f"{missing[0]} is not installed" if missing else ""


def inside(namespace, *command, **how):
    """Start a command in a namespace."""
    return subprocess.Popen(["ip", "netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL", *command], text=True,
                            **how)


def run(*command, **how):
    """Run a command to its end."""
    subprocess.run(command, check=True, text=True, timeout=TIMEOUT_S, **how)


@contextlib.contextmanager
def network():
    """The namespaces and their links."""
    with contextlib.ExitStack() as made:
        for name in CLIENT, ROUTER, SERVER:
            run("ip", "netns", "add", name)
            made.callback(run, "ip", "netns", "del", name)
        run("ip", "-batch", "-", input=LINKS)
        for name, devices in ADDRESSES.items():
            for device, address, gateway in map(str.split, devices):
                run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
                run("ip", "-n", name, "link", "set", device, "up")
                if gateway != "-":
                    run("ip", "-n", name, "route", "add", "default", "via", gateway)
        run("ip", "netns", "exec", ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield


def record(path, server_does, rule_before="", rule_then="", inject_then=()):
    """Capture a connection of four requests into path. server_does: "abort" after them, "talk" on a second later, or
    wait. Rules of the router's forward chain, from the start on and after those four. inject_then: words of INJECT."""
    def add_rule(rule):
        run("ip", "netns", "exec", ROUTER, "nft", "-f", "-", input=(
            f"add table ip t\nadd chain ip t f {{ type filter hook forward priority 0; }}\nadd rule ip t f {rule}\n"))

    with network(), contextlib.ExitStack() as started:
        if rule_before:
            add_rule(rule_before)
        capture = inside(CLIENT, "tcpdump", "-i", "c0", "--immediate-mode", "-U", "-Z", "root", "-w", str(path), "tcp",
                         stderr=subprocess.PIPE)
        server = inside(SERVER, sys.executable, "-c", SERVE, server_does, stdout=subprocess.PIPE)
        injector = inside(ROUTER, sys.executable, "-c", INJECT, str(TESTS.parent / "test-captures"), *inject_then,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for process in capture, server, injector:
            started.enter_context(process)
            started.callback(process.kill)
        while "listening on" not in capture.stderr.readline():
            pass
        server.stdout.readline()
        injector.stdout.readline()
        client = inside(CLIENT, sys.executable, "-c", ASK, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.enter_context(client)
        started.callback(client.kill)
        client.stdout.readline()
        if rule_then:
            add_rule(rule_then)
        if inject_then:
            time.sleep(0.3)  # until the client has acknowledged all
            injector.communicate("go on\n", timeout=TIMEOUT_S)
        client.communicate("go on\n", timeout=TIMEOUT_S)
        if server_does == "talk":
            server.wait(TIMEOUT_S)
        time.sleep(1)  # until tcpdump has written it
        capture.terminate()
        capture.wait(TIMEOUT_S)


class InBetween(unittest.TestCase):
    """Who sent the RST, or the FIN."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())

    def fields(self, names, *schedule, **rules):
        """Those fields of each segment, and as the last whether the expert item is there."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.pcap"
            record(path, *schedule, **rules)
            rows = self.tshark.fields(path, [*names, "tcpstate.expert.reset_in_between"])
        return [(*values, bool(item)) for *values, item in rows]

    def rows(self, *schedule, **rules):
        """Of each segment that is a RST or has the expert item: (cause, whether it is confirmed, whether the item is
        there)."""
        rows = self.fields(["tcpstate.reset_cause.str", "tcpstate.reset_cause.confirmed"], *schedule, **rules)
        return [(cause, confirmed in TRUE, item) for cause, confirmed, item in rows if cause or item]

    def fins(self, *schedule, **rules):
        """Of each FIN in the name of the server: whether it has the item; and on how many segments from there on the
        server's state is confirmed."""
        rows = self.fields(["ip.src", "tcp.flags.fin", "tcpstate.server.confirmed"], *schedule, **rules)
        places = [n for n, (source, fin, *_) in enumerate(rows) if source == "10.9.2.1" and fin in TRUE]
        return [(rows[n][3], sum(confirmed in TRUE for _, _, confirmed, _ in rows[n:])) for n in places]

    def told(self, *schedule, **rules):
        """The same of the first."""
        return self.rows(*schedule, **rules)[0]

    def test_firewall(self):
        self.assertEqual(self.told("wait", rule_then="tcp dport 5000 reject with tcp reset"),
                         ("someone in between", False, True))

    def test_server(self):
        cause, _, item = self.told("abort")
        self.assertEqual((cause, item), ("aborted by its program", False))

    def test_paths_that_differ(self):
        """Every other segment of the server's passes more routers than those between."""
        cause, _, item = self.told("abort", rule_before="ip saddr 10.9.2.1 numgen inc mod 2 0 ip ttl set 50")
        self.assertEqual((cause, item), ("aborted by its program", False))

    def test_identifications_that_differ(self):
        """A firewall on the way scrubs identifications: what is random tells nothing."""
        rows = self.rows("abort", rule_before="ip saddr 10.9.2.1 ip id set numgen random mod 65536")
        self.assertEqual([item for _, _, item in rows], [False])

    def test_identification_of_others(self):
        self.assertEqual(self.told("wait", inject_then=["RST,0,30000,0"]), ("someone in between", False, True))

    def test_numbers_that_are_guessed(self):
        rows = self.rows("wait", inject_then=["RST,0,0,0", "RST,1460,0,0", "RST,4380,0,0"])
        self.assertEqual(rows[:3], [("aborted by its program", False, False),
                                    *[("someone in between", False, True)] * 2])

    def test_fin_from_nearer_by(self):
        """The server, which knows nothing of it, is not proved to have closed by anything that it sends after."""
        self.assertEqual(self.fins("wait", inject_then=["FIN,0,0,1"]), [(True, 0)])

    def test_fin_with_identification_of_others(self):
        self.assertEqual(self.fins("wait", inject_then=["FIN,0,30000,0"]), [(True, 0)])

    def test_fin_of_server(self):
        [(item, confirmed)] = self.fins("wait")
        self.assertFalse(item)
        self.assertGreater(confirmed, 0)

    def test_fin_where_paths_differ(self):
        [(item, _)] = self.fins("wait", rule_before="ip saddr 10.9.2.1 numgen inc mod 2 0 ip ttl set 50")
        self.assertFalse(item)

    def test_fin_where_identifications_differ(self):
        [(item, _)] = self.fins("wait", rule_before="ip saddr 10.9.2.1 ip id set numgen random mod 65536")
        self.assertFalse(item)

    def test_server_sends_on(self):
        """The RST is as good as the server's own, whose next data tell that it knows nothing of it."""
        first, *others = self.rows("talk", inject_then=["RST,0,0,0"])
        self.assertEqual(first, ("aborted by its program", False, False))
        self.assertIn(("", False, True), others)


if __name__ == "__main__":
    if reason := inability():
        print(f"skipped: {reason}")
        sys.exit(UNABLE)
    unittest.main()
