#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A router between two hosts: a RST that its firewall sends is told from those of the hosts.

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
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tshark import Tshark  # noqa: E402

UNABLE = 77  # exit status
CLIENT, ROUTER, SERVER = (f"tcpstate-{os.getpid()}-{name}" for name in ("client", "router", "server"))
LINKS = f"""
link add c0 netns {CLIENT} type veth peer name r0 netns {ROUTER}
link add s0 netns {SERVER} type veth peer name r1 netns {ROUTER}
"""
ADDRESSES = {CLIENT: ["c0 10.9.1.1 10.9.1.2"], SERVER: ["s0 10.9.2.1 10.9.2.2"],
             ROUTER: ["r0 10.9.1.2 -", "r1 10.9.2.2 -"]}
TIMEOUT_S = 20

SERVE = """
import socket, struct, sys
s = socket.create_server(("10.9.2.1", 5000))
print("listening", flush=True)
c, _ = s.accept()
for _ in range(4):
    c.recv(100)
    c.sendall(b"Yes.")
if sys.argv[1] == "abort":
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
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


def record(path, server_does, rule_before="", rule_then=""):
    """Capture a connection of four requests into path. server_does: "abort" after them, or wait. Rules of the router's
    forward chain, from the start on and after those four."""
    def add_rule(rule):
        run("ip", "netns", "exec", ROUTER, "nft", "-f", "-", input=(
            f"add table ip t\nadd chain ip t f {{ type filter hook forward priority 0; }}\nadd rule ip t f {rule}\n"))

    with network(), contextlib.ExitStack() as started:
        if rule_before:
            add_rule(rule_before)
        capture = inside(CLIENT, "tcpdump", "-i", "c0", "-U", "-Z", "root", "-w", str(path), "tcp", stderr=subprocess.PIPE)
        server = inside(SERVER, sys.executable, "-c", SERVE, server_does, stdout=subprocess.PIPE)
        for process in capture, server:
            started.enter_context(process)
            started.callback(process.kill)
        while "listening on" not in capture.stderr.readline():
            pass
        server.stdout.readline()
        client = inside(CLIENT, sys.executable, "-c", ASK, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.enter_context(client)
        started.callback(client.kill)
        client.stdout.readline()
        if rule_then:
            add_rule(rule_then)
        client.communicate("go on\n", timeout=TIMEOUT_S)
        time.sleep(0.5)  # until tcpdump has written it
        capture.terminate()


class InBetween(unittest.TestCase):
    """Who sent the RST."""

    @classmethod
    def setUpClass(cls):
        cls.tshark = cls.enterClassContext(Tshark())

    def told(self, *schedule, **rules):
        """Of the first RST: (cause, whether it is confirmed, whether the expert item is there)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.pcap"
            record(path, *schedule, **rules)
            rows = self.tshark.fields(path, ["tcpstate.reset_cause.str", "tcpstate.reset_cause.confirmed",
                                             "tcpstate.expert.reset_in_between"])
        cause, confirmed, item = next(row for row in rows if row[0])
        return cause, confirmed in ("1", "True"), bool(item)

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


if __name__ == "__main__":
    if reason := inability():
        print(f"skipped: {reason}")
        sys.exit(UNABLE)
    unittest.main()
