#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of plugin/tools/README.md on three hosts, one of which dies: the result is one tshark's, byte for byte.

A host is a set of namespaces with an sshd: network, processes, mounts; /root, where rsync brings the parts, and the
folder of plugins are its own. This script runs in namespaces too, so that nothing is left behind however it ends. Root
is needed, else it is skipped and says why. TCPSTATE_SPLIT names the built tcpstate-split, TCPSTATE_PLUGIN the plugin.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "bench")]

import captures  # noqa: E402
from tshark import run_tool  # noqa: E402

PROJECT = HERE.parent.parent
TOOLS = PROJECT / "plugin/tools"
PLUGIN, SPLIT = Path(os.environ["TCPSTATE_PLUGIN"]), Path(os.environ["TCPSTATE_SPLIT"])
SKIPPED = 77
INSIDE = "TCPSTATE_TEST_INSIDE"   # set where this runs in namespaces of its own
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
NEEDED = {"parallel": "parallel", "rsync": "rsync", "ssh": "openssh-client", "sshd": "openssh-server", "ip": "iproute2",
          "tshark": "tshark"}
PATH = f"{SPLIT.parent}:{TOOLS}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
HOSTS = ("a", "b", "c")
DYING = "b"
PARTS = 16
START_S, RUN_S = 20, 200

SSHD = """\
HostKey {folder}/key
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
MaxStartups 100
"""
# A dead host is noticed after seconds.
SSH = """\
Host *
    User root
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    StrictHostKeyChecking accept-new
    BatchMode yes
    LogLevel ERROR
    ConnectTimeout 2
    ServerAliveInterval 1
    ServerAliveCountMax 2
"""
# What a host does, once its end of the wire is there: $1 address, $2 folder, $3 where plugins are installed.
HOST = """\
set -e
echo up; read -r go
mount -t tmpfs none /run; mkdir /run/sshd
mount -t tmpfs none /root
ip link set lo up
ip address add "$1/24" dev wire
ip link set wire up
exec "$(command -v sshd)" -D -e -f "$2/sshd_config" -o ListenAddress="$1"
"""


def blocks(kind):
    """The commands of a kind in the README, in order."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", (TOOLS / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise AssertionError(f"no {kind} in the README")
    return found


def run(*words, **how):
    """Run a program; fail unless it does what it is told."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=RUN_S, **how)
    if done.returncode != 0:
        raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Host:
    """A host, and the wire to it. Everything on it ends with its first process."""

    def __init__(self, number, folder, environment):
        self.address = f"10.77.{number}.2"
        said = (folder / f"sshd-{number}.log").open("wb")
        self._process = subprocess.Popen([*NAMESPACES, "sh", "-c", HOST, "sh", self.address, str(folder)],
                                         env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        if self._process.stdout.readline() != b"up\n":
            raise AssertionError(f"host {number} does not start")
        run("ip", "link", "add", f"wire{number}", "type", "veth", "peer", "name", "wire", "netns", self._process.pid)
        run("ip", "address", "add", f"10.77.{number}.1/24", "dev", f"wire{number}")
        run("ip", "link", "set", f"wire{number}", "up")
        self._network = os.readlink(f"/proc/{self._process.pid}/ns/net")
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def running(self, program):
        """Whether such a program runs on it."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it is gone
                if ((process / "comm").read_text().strip() == program
                        and os.readlink(process / "ns/net") == self._network):
                    return True
        return False

    def kill(self):
        """As if its power had failed."""
        self._process.kill()
        self._process.communicate()


class Run:
    """The folder in which a user would work, and the hosts."""

    def __init__(self, folder, made):
        self.folder = folder
        self.environment = {"PATH": PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC",
                            "PARALLEL_SSH": f"ssh -F {folder}/ssh_config"}
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
        (folder / "sshd_config").write_text(SSHD.format(folder=folder))
        (folder / "ssh_config").write_text(SSH.format(folder=folder))
        self.hosts = {}
        for number, name in enumerate(HOSTS):
            self.hosts[name] = Host(number, folder, self.environment)
            made.callback(self.hosts[name].kill)
        self.tell_hosts(HOSTS)
        for host in self.hosts.values():
            self.wait(lambda: subprocess.run(["ssh", "-F", folder / "ssh_config", host.address, "true"],
                                             capture_output=True, timeout=START_S).returncode == 0, "its sshd")

    def wait(self, condition, what):
        """Wait for something, for a while."""
        until = time.monotonic() + START_S
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited in vain for {what}")
            time.sleep(0.01)

    def tell_hosts(self, names):
        """Write the file that parallel reads."""
        (self.folder / "hosts").write_text("".join(f"{self.hosts[name].address}\n" for name in names))

    def shell(self, command):
        """Start a command of the README."""
        return subprocess.Popen(["sh", "-c", command], cwd=self.folder, env=self.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, process):
        """Wait for it; return its status and what it said."""
        said, _ = process.communicate(timeout=RUN_S)
        return process.returncode, said

    def do(self, command):
        """Run a command of the README, which must succeed."""
        status, said = self.finish(self.shell(command))
        if status != 0:
            raise AssertionError(f"{command}\nstatus {status}\n{said}")

    def log(self):
        """What parallel noted: of each run of a job its number, host and status."""
        rows = [line.split("\t") for line in (self.folder / "parts.log").read_text().splitlines()[1:]]
        return [(int(row[0]), row[1], int(row[6]) or int(row[7])) for row in rows]


def make_capture(path):
    """Many connections at once, ports used again, a scan, and more: compressed."""
    folder, pieces = path.parent, []
    for kind, frames in (("interleaved", 30000), ("ipv6", 5000), ("scan", 5000), ("midstream", 5000)):
        pieces.append(folder / f"{kind}.pcap")
        captures.write(kind, frames, pieces[-1])
    run_tool("mergecap", "-a", "-F", "pcapng", "-w", path, *pieces)
    run("gzip", "-k", path)
    for piece in pieces:
        piece.unlink()


def same(made, wanted, what):
    """Fail where they differ, and show the first line that does."""
    if made != wanted:
        rows = list(zip(made.splitlines(), wanted.splitlines()))
        first = next(((a, b) for a, b in rows if a != b), ("", ""))
        raise AssertionError(f"{what}: {len(made.splitlines())} lines, not {len(wanted.splitlines())};\n"
                             f"{first[0][:2000]}\n  is not\n{first[1][:2000]}")


def check(folder, made):
    """Everything that the README tells to do."""
    split, parallel, merge = blocks("sh")
    slurm, = blocks("sbatch")
    user = Run(folder, made)
    make_capture(folder / "huge.pcapng")
    views = re.findall(r"-z \S+", parallel)
    whole = run("sh", "-c", f"tshark -q -r huge.pcapng {' '.join(views)}", cwd=folder, env=user.environment)
    if whole.count("\n") < 8000:
        raise AssertionError(f"tshark prints little:\n{whole[:1000]}")

    user.do(split)
    process = user.shell(parallel)
    user.wait(lambda: user.hosts[DYING].running("tshark"), "a tshark on the host that is to die")
    user.hosts[DYING].kill()
    status, said = user.finish(process)
    failed = {job for job, _, job_status in user.log() if job_status}
    if status == 0 or not failed or len(failed) == PARTS:
        raise AssertionError(f"a host died, and status is {status}, failed are {failed}\n{said}")
    refused, said = user.finish(user.shell(merge))
    if refused != 1 or "missing" not in said:
        raise AssertionError(f"parts are missing, and tcpstate-merge ends with {refused}\n{said}")

    user.tell_hosts([name for name in HOSTS if name != DYING])
    done_before = len(user.log())
    user.do(parallel)
    again = [job for job, _, _ in user.log()[done_before:]]
    if sorted(again) != sorted(failed):
        raise AssertionError(f"failed were {failed}, repeated {again}")
    user.do(merge)
    same((folder / "whole.out").read_text(), whole, "merged")
    print(f"{PARTS} parts, {len(failed)} failed as a host died and were repeated; {len(whole)} octets, all the same")

    for out in folder.glob("parts/*.out"):
        out.unlink()
    (folder / "parts.sbatch").write_text(slurm)
    for number in range(PARTS):
        user.do(f"SLURM_ARRAY_TASK_ID={number} sh parts.sbatch")
    user.do(merge)
    same((folder / "whole.out").read_text(), whole, "merged, of the job array")


def install_plugin():
    """Make the plugin the only one that is installed, for this process and all that it starts."""
    told = run("tshark", "-G", "folders", env={"PATH": PATH, "HOME": "/nonexistent"})
    plugins = Path(re.search(r"^Global Plugins:\s+(.*)$", told, re.MULTILINE)[1])
    there = next(folder for folder in [plugins, *plugins.parents] if folder.is_dir())
    copy = PLUGIN.read_bytes()
    run("mount", "-t", "tmpfs", "none", there)
    (plugins / "epan").mkdir(parents=True)
    (plugins / "epan/tcpstate.so").write_bytes(copy)


def main():
    if os.environ.get(INSIDE):
        install_plugin()
        with ExitStack() as made:
            folder = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="tcpstate-test-")))
            check(folder, made)
        return 0
    if os.environ.get("LD_PRELOAD"):
        print("skipped: a plugin with sanitizers does not load in a tshark that ssh starts")
        return SKIPPED
    missing = [package for program, package in NEEDED.items() if not shutil.which(program, path=PATH)]
    if missing:
        print(f"skipped: not installed: {' '.join(missing)}")
        return SKIPPED
    tried = subprocess.run([*NAMESPACES, "mount", "-t", "tmpfs", "none", "/root"], capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"skipped: hosts in namespaces cannot be made here, which takes root: {tried.stderr.strip()}")
        return SKIPPED
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run([*NAMESPACES, sys.executable, __file__], env=environment | {INSIDE: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
