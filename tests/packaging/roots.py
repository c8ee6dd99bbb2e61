# SPDX-License-Identifier: GPL-2.0-or-later
"""Debians with other series of Wireshark: made by debootstrap, entered by chroot.

Of each series there are two, in the folder that TCPSTATE_ROOTS names (default: build/roots):

    4.4.clean   a minimal Debian and nothing else: copies of it show what a package does to a system
    4.4         the same with that series' tshark and development files, to build and test in

They are made when not there, which needs root and the network, and stay for the next time. Packages
come from where this machine's own apt gets them. Commands run in namespaces of their own for
processes and mounts, so that nothing is left running or mounted.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = Path(os.environ.get("TCPSTATE_ROOTS") or PROJECT / "build/roots")
SUITES = {"4.0": "bookworm", "4.4": "trixie", "4.6": "sid"}
UNSTABLE = "4.6"  # of a Debian that changes daily and at times cannot be installed
SKIPPED = 77
MAKING_LIMIT_S = 600
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

_APT_FAILED = 100
_MAKING, _SCRATCH = "making-", "tcpstate-scratch-"  # how names of folders begin that are not to stay
APT = ["apt-get", "-qy", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"]


class Unavailable(Exception):
    """No Debian with that series is to be had here; the message says why."""


class Failure(AssertionError):
    """A command in a Debian failed; the message holds what it said."""


def main(test):
    """Run test() and exit as CTest expects: 77 and the reason if a Debian cannot be had.

    CI promises the released series, so there only the unstable one may be skipped.
    """
    try:
        test()
    except Unavailable as reason:
        if os.environ.get("CI") and getattr(reason, "series", None) != UNSTABLE:
            sys.exit(f"failed, for CI promises this series: {reason}")
        print("skipped:", " ".join(str(reason).split()))
        sys.exit(SKIPPED)


def bare_environment(**variables):
    """What every build gets, and variables; nothing of the caller's."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "LC_ALL": "C.UTF-8", "TZ": "UTC", "DEBIAN_FRONTEND": "noninteractive", **variables}


def _unavailable(series, reason):
    problem = Unavailable(f"Wireshark {series}: {reason}")
    problem.series = series
    return problem


class Root:
    """A Debian for a series, in a folder."""

    def __init__(self, series, folder):
        self.series = series
        self.folder = Path(folder)

    def run(self, command, cwd="/", variables=None, limit_s=600, installs=False):
        """Run a command, a list of words, as root; return all that it said.

        variables are added to a bare environment. Fails on an exit status other than 0. installs
        tells that the command has Debian's packages installed: where apt cannot (its status is
        100), the series is unavailable.
        """
        # Ends with this process, and with it all that it started: it is the first of its namespace.
        inside = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child",
                  f"--mount-proc={self.folder}/proc", "chroot", str(self.folder),
                  "env", f"--chdir={cwd}", *command]
        with tempfile.TemporaryFile() as said:
            try:
                rc = subprocess.run(inside, stdin=subprocess.DEVNULL, stdout=said,
                                    stderr=subprocess.STDOUT, start_new_session=True,
                                    env=bare_environment(**(variables or {})),
                                    timeout=limit_s).returncode
            except subprocess.TimeoutExpired:
                rc = f"still running after {limit_s} s"
            said.seek(0)
            output = said.read().decode(errors="replace")
        if rc == _APT_FAILED and installs:
            raise _unavailable(self.series, f"packages cannot be installed:\n{output[-3000:]}")
        if rc != 0:
            raise Failure(f"{' '.join(command)}\nin {self.folder}: {rc}\n{output}")
        return output

    def install(self, *packages):
        """Install packages of Debian's."""
        for command in ["update"], ["install", *packages]:
            self.run([*APT, *command], installs=True)

    def path(self, inside):
        """Where a path of this root is for the world outside."""
        return self.folder / str(inside).lstrip("/")

    @contextmanager
    def scratch(self):
        """The name, in this root, of a new folder that all may read; gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.path("/tmp")))
        folder.chmod(0o755)
        try:
            yield "/tmp/" + folder.name
        finally:
            shutil.rmtree(folder)

    def copy_project(self, folder):
        """The same as the function, into a folder of this root."""
        copy_project(self.path(folder))


def copy_project(to):
    """Copy the project's files, none that were built, to a new folder."""
    def not_a_source(folder, names):
        return [name for name in names
                if name == "__pycache__" or (Path(folder) == PROJECT and name in (".git", "build"))]

    shutil.copytree(PROJECT, to, ignore=not_a_source)


def clean_copy(series):
    """A context: a Root of its own that is a minimal Debian."""
    _own_roots(series)
    return _copy_of(_clean(series), series)


def prepared(series):
    """The Root with tshark and the development files of a series, made if not there."""
    root = equipped(series, series, "tshark", "wireshark-dev", "libwireshark-dev")
    version = root.run(["tshark", "--version"])
    if f"(Wireshark) {series}." not in version:
        raise _unavailable(series, f"Debian's {SUITES[series]} has another:\n{version[:200]}")
    return root


def equipped(name, series, *packages):
    """The Root of that name: the Debian of a series with further packages, made if not there."""
    _own_roots(series)
    root = Root(series, ROOTS / name)
    if not root.folder.is_dir():
        with _copy_of(_clean(series), series) as making:
            making.install(*packages)
            making.folder.rename(root.folder)
    return root


_lock = None


def _own_roots(series):
    """Wait until no other test uses the roots; they are this process's until it ends."""
    global _lock
    if _lock:
        return
    if os.getuid() != 0:
        raise _unavailable(series, "only root can make a Debian for it, and enter it")
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True,
                           text=True, timeout=60)
    if probe.returncode != 0:
        raise _unavailable(series, f"no namespaces here: {probe.stderr}")
    ROOTS.mkdir(parents=True, exist_ok=True)
    _lock = open(ROOTS / "lock", "w")
    fcntl.flock(_lock, fcntl.LOCK_EX)
    for left_behind in [*ROOTS.glob(f"{_MAKING}*"), *ROOTS.glob(f"*/tmp/{_SCRATCH}*")]:
        shutil.rmtree(left_behind)


@contextmanager
def _copy_of(folder, series):
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=ROOTS) as making:
        copy = Path(making) / "root"
        subprocess.run(["cp", "--archive", "--reflink=auto", folder, copy], check=True,
                       timeout=MAKING_LIMIT_S)
        yield Root(series, copy)


def _clean(series):
    """The folder of the minimal Debian of a series, made if not there."""
    folder = ROOTS / f"{series}.clean"
    if folder.is_dir():
        return folder
    if not shutil.which("debootstrap"):
        raise _unavailable(series, "debootstrap is not installed")
    try:
        address = mirror()
    except Unavailable as reason:
        raise _unavailable(series, reason) from None
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=ROOTS) as making:
        root = Path(making) / "root"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates",
                   SUITES[series], str(root), address]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=MAKING_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise _unavailable(series, f"{command} took over {MAKING_LIMIT_S} s") from None
        if done.returncode != 0:
            raise _unavailable(series, f"{command} failed:\n{done.stdout[-2000:]}")
        _use_packages_as_here(root)
        root.rename(folder)
    return folder


def mirror():
    """The address from which this machine's apt gets Debian."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"]
    try:
        for refresh in False, True:
            if refresh:
                subprocess.run(["apt-get", "-q", "update"], capture_output=True, timeout=MAKING_LIMIT_S)
            listed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
            for line in listed.splitlines():
                origin, codename, address = line.split(" ", 2)
                if origin == "Debian" and codename.isalpha():
                    return address
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"apt: {problem}") from None
    raise Unavailable("this machine's apt knows no mirror of Debian")


def _use_packages_as_here(root):
    """Let apt in a new root get packages as this machine's does: proxies, limits, name servers."""
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True,
                              timeout=60).stdout
    wanted = [line for line in settings.splitlines(True) if line.startswith("Acquire::")]
    (root / "etc/apt/apt.conf.d/90as-outside").write_text("".join(wanted))
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
