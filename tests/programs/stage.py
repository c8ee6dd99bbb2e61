# SPDX-License-Identifier: GPL-2.0-or-later
"""The two hosts of ../conformance/lab.py with real programs on them, in place of sockets.

    with Stage() as stage:
        stage.lab.capture("client", "x.pcap")
        stage.serve(["nginx", ...])
        stage.call(["curl", ...])

A program is started in its host's namespace, in a folder that is removed in the end. Whatever the
programs leave behind, their process groups end with the Stage.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "conformance"), str(HERE.parent.parent / "test-captures")]

import lab  # noqa: E402  (found only now)

PEERS = HERE / "peers"
NAME = "server.test"   # in certificates, of the virtual host; nothing looks it up
HTTP, TLS, SSH = 80, 443, 22   # the server's ports, those by which Wireshark knows what is said
START_S = 8            # the longest that a server takes until it listens
CALL_S = 12            # the longest that a client runs
POLL_EVERY_S = 0.005   # the states: often enough beside a wire that takes 20 ms, and many stages share the processors
_LISTEN = "0A"         # in /proc/net/tcp

_OPENSSL_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"


def find(program):
    """The path of a program, sbin included, or nothing."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Stage:
    """A Lab for the length of a with statement, and the programs in it."""
    interpreter = sys.executable   # of Python

    def __init__(self, ipv6=False, sysctls=None):
        self.host = f"[{self._server(True)}]" if ipv6 else self._server(False)
        self.address = self.host.strip("[]")
        with contextlib.ExitStack() as made:
            self.lab = made.enter_context(lab.Lab(ethernet=True, ipv6=ipv6, sysctls=sysctls,
                                                  poll_every_s=POLL_EVERY_S))
            self.folder = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="tcpstate-programs-")))
            self._running = []
            made.callback(self.end_all)
            self._made = made.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._made.close()

    @staticmethod
    def _server(ipv6):
        return next(address for family, address in lab.ADDRESSES["server"].items() if (":" in address) == ipv6)

    def write(self, name, text, mode=0o644):
        """Put a file into the folder, and give its path."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def certificate(self):
        """Make a certificate for NAME and its key, and give their paths. Small: the curve P-256."""
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        config = self.write("openssl.cnf", _OPENSSL_CONFIG)
        self.make(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-config", config, "-subj", f"/CN={NAME}", "-days", "3650", "-keyout", key, "-out", certificate])
        return certificate, key

    @staticmethod
    def make(command):
        """Run a tool that makes files."""
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=CALL_S)

    # Programs

    def start(self, host, command, **how):
        """Start a program on a host; how goes to Popen. Gives the Popen."""
        command = [str(word) for word in command]
        command[0] = find(command[0]) or command[0]
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
                       "TMPDIR": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        with self.lab.hosts[host].inside():
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=self.folder,
                                       env=environment, start_new_session=True, **how)
        self._running.append(process)
        return process

    def serve(self, command, port, host="server"):
        """Start a server and wait until it listens."""
        said = open(self.folder / f"said-{len(self._running)}", "w+b")
        with said:
            process = self.start(host, command, stdin=subprocess.PIPE, stdout=said, stderr=said)
            deadline_s = time.monotonic() + START_S
            while not self._listens(process.pid, port):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    said.seek(0)
                    raise RuntimeError(f"{command[0]} does not listen: {said.read().decode(errors='replace')}")
                time.sleep(0.02)
        return process

    @staticmethod
    def _listens(pid, port):
        with contextlib.suppress(OSError):  # it is gone
            rows = [line.split() for table in ("tcp", "tcp6")
                    for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]]
            return any(row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port for row in rows)
        return False

    def call(self, command, status=(0,), text=None):
        """Run a client to its end. status: those that are all right. text: its standard input, then its end.
        Gives its standard output."""
        process = self.start("client", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, error = process.communicate((text or "").encode(), timeout=CALL_S)
        if process.returncode not in status:
            raise RuntimeError(f"{' '.join(map(str, command))}: status {process.returncode}: "
                               f"{error.decode(errors='replace')}")
        return out.decode(errors="replace")

    def python(self, script, *words):
        """The command of a Python peer."""
        return [self.interpreter, "-I", PEERS / script, *words]

    def node(self, script, *words):
        """The command of a peer in JavaScript."""
        return ["node", PEERS / script, *words]

    def end_all(self):
        """End what still runs, with all that it has started."""
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in process.stdin, process.stdout, process.stderr:
                if stream:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
