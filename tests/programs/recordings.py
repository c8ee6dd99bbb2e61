# SPDX-License-Identifier: GPL-2.0-or-later
"""What real programs say to each other, a few lines each, and how it is recorded.

A recording is a function of a Stage: its doc string says what passes. RECORDINGS has them all by name.
"""

import dataclasses
import functools
import time
import typing
from pathlib import Path

from stage import HTTP, NAME, SSH, TLS, Stage, find, lab

VANTAGES = lab.HOSTS
WAIT_S = 0.3          # of silence, until all is over

PROXY = 8000          # its port
RECORDINGS = {}       # by name, in this order

# Linux as it is, only faster.
KEEP_ALIVE = {"net.ipv4.tcp_keepalive_intvl": 1}


@dataclasses.dataclass(frozen=True)
class Recording:
    """A function of a Stage, and what it needs."""
    name: str
    play: typing.Callable
    meaning: str
    needs: tuple          # programs
    ipv6: bool = False
    sysctls: dict = dataclasses.field(default_factory=dict)
    accuses: tuple = ()   # expert items above chat, one of which is right, as the doc string says; none: ordinary
    surely: bool = True   # else there may be none of those, for it hangs on what the programs do first
    bundled: bool = True  # in test-captures/programs; others are only recorded anew

    @property
    def missing(self):
        """The programs that are not installed."""
        return [program for program in self.needs if not find(program)]

    def record(self, folder):
        """Play it, and write NAME-client.pcap, NAME-server.pcap and NAME.states into a folder."""
        stem = Path(folder) / self.name
        with Stage(self.ipv6, self.sysctls) as stage:
            for at in VANTAGES:
                stage.lab.capture(at, f"{stem}-{at}.pcap", "tcp")
            self.play(stage)
            stage.lab.settle(WAIT_S)
            Path(f"{stem}.states").write_text(stage.lab.finish(), encoding="ascii")

    def work(self, folder):
        """The same as a function without arguments."""
        return functools.partial(self.record, folder)


def recording(*needs, **more):
    """Enter the function that follows among the RECORDINGS, under its own name with hyphens; IPv6 is told."""
    def decorate(play):
        name, meaning = play.__name__.replace("_", "-"), " ".join(play.__doc__.split())
        if more.get("ipv6"):
            name, meaning = f"{name}-ipv6", f"{meaning} Over IPv6."
        RECORDINGS[name] = Recording(name, play, meaning, needs, **more)
        return play
    return decorate


# ---------------------------------------------------------------- servers and clients

NGINX = """\
daemon off;
master_process off;
user root;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout {keep_alive_s};
    client_max_body_size 1k;
    server {{
        listen {host}:{port} {words};
        server_name server.test;
        {certificate}
        location / {{ {does}; }}
        location /upload {{ root .; }}
    }}
}}
"""


def port_of(tls):
    """The server's port."""
    return TLS if tls else HTTP


def certificate_of(stage, tls):
    """The words that tell a client of the server's certificate."""
    return [stage.folder / "certificate.pem"] if tls else []


def nginx(stage, keep_alive_s=60, tls=False, http2=False):
    """Start nginx on the server."""
    certificate = "ssl_certificate {}; ssl_certificate_key {};".format(*stage.certificate()) if tls else ""
    words = f"{'ssl' if tls else ''} {'http2' if http2 else ''}"
    stage.write("nginx.conf", NGINX.format(keep_alive_s=keep_alive_s, host=stage.host, port=port_of(tls), words=words,
                                           certificate=certificate, does=r'return 200 "hello\n"'))
    stage.serve(["nginx", "-p", stage.folder, "-c", "nginx.conf", "-e", "stderr"], port_of(tls))


def proxy(stage):
    """Start nginx on the client, as a proxy of the server."""
    stage.write("nginx.conf", NGINX.format(keep_alive_s=60, host="127.0.0.1", port=PROXY, words="", certificate="",
                                           does=f"proxy_pass http://{stage.host}:{HTTP}"))
    stage.serve(["nginx", "-p", stage.folder, "-c", "nginx.conf", "-e", "stderr"], PROXY, "client")


def ask_proxy(stage, status):
    """Run curl there. status: of HTTP."""
    said = stage.call(["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}",
                       f"http://127.0.0.1:{PROXY}/"], status=(0, 18, 52, 56))
    if said != str(status):
        raise RuntimeError(f"the proxy answers {said}")


def python_module(stage):
    """Start Python's own http.server."""
    stage.write("index.html", "hello\n")
    stage.serve([stage.interpreter, "-I", "-m", "http.server", HTTP, "--bind", stage.address], HTTP)


def python_server(stage, what, tls=False):
    """Start peers/serve.py."""
    files = stage.certificate() if tls else ()
    stage.serve(stage.python("serve.py", stage.address, port_of(tls), what, *files), port_of(tls))


def python_client(stage, what, tls=False):
    """Run peers/call.py."""
    stage.call(stage.python("call.py", stage.address, port_of(tls), what, *certificate_of(stage, tls)))


def node_server(stage, keep_alive_ms, tls=False):
    """Start peers/serve.js."""
    files = stage.certificate() if tls else ()
    stage.serve(stage.node("serve.js", stage.address, port_of(tls), keep_alive_ms, *files), port_of(tls))


def node_client(stage, what, tls=False):
    """Run peers/call.js."""
    stage.call(stage.node("call.js", stage.address, port_of(tls), what, *certificate_of(stage, tls)))


def openssl_server(stage, *words):
    """Start openssl s_server."""
    certificate, key = stage.certificate()
    stage.serve(["openssl", "s_server", "-accept", f"{stage.host}:{TLS}", "-key", key, "-cert", certificate, "-quiet",
                 *words], TLS)


def openssl_client(stage, text, *words):
    """Run openssl s_client with that input."""
    stage.call(["openssl", "s_client", "-connect", f"{stage.host}:{TLS}", "-servername", NAME,
                "-CAfile", *certificate_of(stage, True), "-quiet", *words], text=text)


def curl(stage, *words, status=(0,), tls=False, paths=("/",)):
    """Run curl."""
    trust = ["--cacert", *certificate_of(stage, tls)] if tls else []
    urls = [f"{'https' if tls else 'http'}://{NAME}{path}" for path in paths]
    stage.call(["curl", "-sS", "--noproxy", "*", "--resolve", f"{NAME}:{port_of(tls)}:{stage.host}", *trust, *words,
                *urls], status=status)


SSHD = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp internal-sftp
"""

# The key exchange: a short one.
SSH_CONFIG = """\
Host *
    HostName {address}
    User root
    IdentityFile {folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    StrictHostKeyChecking accept-new
    BatchMode yes
    LogLevel ERROR
    KexAlgorithms curve25519-sha256
"""


def sshd(stage):
    """Start sshd with keys made now. Gives the words that ssh and scp begin with."""
    for key in "host", "user":
        stage.make(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", stage.folder / key])
    where = {"address": stage.address, "port": SSH, "folder": stage.folder}
    stage.write("sshd_config", SSHD.format(**where), 0o600)
    stage.write("ssh_config", SSH_CONFIG.format(**where), 0o600)
    # It wants a folder in /run, which is of this process alone.
    stage.serve(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run && mkdir /run/sshd && exec \"$@\"", "sh",
                 find("sshd"), "-D", "-e", "-f", stage.folder / "sshd_config"], SSH)
    return ["-F", stage.folder / "ssh_config"]


# ---------------------------------------------------------------- HTTP

@recording("curl", ipv6=True)
@recording("curl")
def http10_server_closes(stage):
    """curl from Python's http.server, which speaks HTTP/1.0 and closes after its answer."""
    python_module(stage)
    curl(stage)


@recording("curl", "nginx")
def keep_alive_client_closes(stage):
    """curl, two requests to nginx on one connection, then it closes."""
    nginx(stage)
    curl(stage, paths=("/", "/"))


@recording("curl", "nginx")
def connection_close(stage):
    """curl asks nginx for "Connection: close": the server closes first."""
    nginx(stage)
    curl(stage, "-H", "Connection: close")


@recording("nginx", ipv6=True)
@recording("nginx")
def keep_alive_timeout(stage):
    """Python's http.client keeps its connection; nginx ends it after a second, and the client closes."""
    nginx(stage, keep_alive_s=1)
    python_client(stage, "wait")


@recording("curl")
def chunked(stage):
    """curl gets a body in chunks from Python's http.server."""
    python_server(stage, "http")
    curl(stage, paths=("/chunked",))


@recording()
def python_keep_alive(stage):
    """Python's http.client, two requests on one connection to http.server, then it closes."""
    python_server(stage, "http")
    python_client(stage, "keep-alive")


@recording()
def python_asyncio(stage):
    """Streams of Python's asyncio: the server closes after an echo, then the client."""
    python_server(stage, "asyncio")
    python_client(stage, "line")


@recording("nginx")
def half_closed_request(stage):
    """A client of nginx shuts down sending after its request, and reads the answer to its end."""
    nginx(stage)
    python_client(stage, "shut")


@recording("curl", "nginx")
def parallel(stage):
    """curl gets four pages from nginx side by side, on connections of their own."""
    nginx(stage)
    curl(stage, "--parallel", "--parallel-immediate", paths=("/",) * 4)


@recording("curl", "nginx", bundled=False)
def upload_refused(stage):
    """curl posts more than nginx takes. It answers 413 and closes slowly, reading on until the client is done."""
    nginx(stage)
    stage.write("upload", "x" * 20000)
    curl(stage, "-d", "@upload", "-H", "Expect:", paths=("/upload",))


@recording("curl")
def max_time_silent(stage):
    """curl gives up on a silent server (--max-time) and closes. The late answer draws a RST: it was sent to nobody."""
    python_server(stage, "http")
    curl(stage, "--max-time", "0.3", status=(28,), paths=("/slow",))
    time.sleep(1)


@recording("curl", accuses=("abort",), surely=False)
def max_time_amid_answer(stage):
    """curl gives up amid an answer (--max-time) and closes. What still comes draws a RST: it was sent to nobody. If
    some had come and was not read, there is a RST in place of the FIN (RFC 2525 section 2.17)."""
    python_server(stage, "http")
    curl(stage, "--max-time", "0.3", status=(28,), paths=("/drip",))


@recording("curl", accuses=("refused",))
def refused(stage):
    """curl where nothing listens: a RST answers."""
    curl(stage, status=(7,))


@recording("curl", accuses=("abort",))
def linger_zero(stage):
    """A server that ends its connections with SO_LINGER of 0 s, which is an abort: a RST in place of a FIN."""
    python_server(stage, "linger")
    curl(stage, status=(56,))


# ---------------------------------------------------------------- why was it reset?

@recording("nginx", accuses=("close_race",), surely=False)
def keep_alive_race(stage):
    """Python's http.client sends a request while the FIN is on its way by which nginx, after a second, ends the idle
    connection. A RST answers: nobody is there who would read it."""
    nginx(stage, keep_alive_s=1)
    python_client(stage, "race")


@recording("curl", "nginx", accuses=("refused",))
def proxy_upstream_dead(stage):
    """nginx as a proxy, whose upstream server does not run: a RST answers its SYN, and curl gets the status 502."""
    proxy(stage)
    ask_proxy(stage, 502)


@recording("curl", "nginx", accuses=("abort",))
def proxy_upstream_resets(stage):
    """nginx as a proxy, whose upstream server aborts amid its answer (SO_LINGER of 0 s): curl gets half of it."""
    python_server(stage, "linger")
    proxy(stage)
    ask_proxy(stage, 200)


@recording("curl", accuses=("abort",))
def max_time_unread(stage):
    """curl reads slowly (--limit-rate), and gives up (--max-time) while what has come waits to be read: a RST in place
    of the FIN (RFC 2525 section 2.17)."""
    python_server(stage, "http")
    curl(stage, "--limit-rate", "10", "--max-time", "0.5", status=(28,), paths=("/drip",))


@recording("curl", accuses=("abort",))
def unread_by_server(stage):
    """A server answers curl's POST of which it has read but an octet, and closes: a RST in place of the FIN."""
    python_server(stage, "unread")
    curl(stage, "-d", "x" * 2000, status=(0, 56))


# ---------------------------------------------------------------- TLS

@recording("curl", "nginx", "openssl", ipv6=True)
@recording("curl", "nginx", "openssl")
def tls_client_closes(stage):
    """curl from nginx over TLS 1.3: close_notify and FIN of the client first."""
    nginx(stage, tls=True)
    curl(stage, tls=True)


@recording("curl", "nginx", "openssl")
def tls12_client_closes(stage):
    """curl from nginx over TLS 1.2: close_notify and FIN of the client first."""
    nginx(stage, tls=True)
    curl(stage, "--tls-max", "1.2", tls=True)


@recording("curl", "nginx", "openssl")
def tls_connection_close(stage):
    """curl asks nginx for "Connection: close" over TLS: close_notify and FIN of the server first. The client's
    close_notify comes to a socket that is gone, and draws a RST."""
    nginx(stage, tls=True)
    curl(stage, "-H", "Connection: close", tls=True)


@recording("nginx", "openssl")
def tls_keep_alive_timeout(stage):
    """nginx ends an idle TLS connection of http.client after a second; the client closes without close_notify."""
    nginx(stage, keep_alive_s=1, tls=True)
    python_client(stage, "wait", tls=True)


@recording("nginx", "openssl")
def tls_without_close_notify(stage):
    """Python's http.client closes its TLS connection to nginx by a FIN alone."""
    nginx(stage, tls=True)
    python_client(stage, "keep-alive", tls=True)


@recording("curl", "nginx", "openssl")
def http2(stage):
    """curl, two requests by HTTP/2 on one connection to nginx."""
    nginx(stage, tls=True, http2=True)
    curl(stage, "--http2", "--parallel", tls=True, paths=("/", "/"))


@recording("openssl")
def openssl_page(stage):
    """openssl s_client gets a page from s_server -HTTP, which closes after its answer."""
    stage.write("page", "HTTP/1.0 200 OK\r\n\r\nhello\n")
    openssl_server(stage, "-HTTP")
    openssl_client(stage, "GET /page HTTP/1.0\r\n\r\n", "-ign_eof")


@recording("openssl")
def openssl_client_quits(stage):
    """openssl s_client sends a line to s_server, and quits at the end of its input."""
    openssl_server(stage)
    openssl_client(stage, "hello\n", "-no_ign_eof")


@recording("openssl")
def python_unwrap(stage):
    """Python's ssl, both ways closed by close_notify before the connection is."""
    python_server(stage, "unwrap", tls=True)
    python_client(stage, "unwrap", tls=True)


@recording("openssl")
def python_asyncio_tls(stage):
    """Streams of Python's asyncio over TLS: the server closes after an echo, then the client."""
    python_server(stage, "asyncio", tls=True)
    python_client(stage, "line", tls=True)


# ---------------------------------------------------------------- Node.js

@recording("node", ipv6=True)
@recording("node")
def node_agent(stage):
    """Node's keep-alive agent, two requests on one connection to Node's http; then the agent is destroyed."""
    node_server(stage, 5000)
    node_client(stage, "agent")


@recording("node", "openssl")
def node_agent_tls(stage):
    """Node's keep-alive agent and Node's https; then the agent is destroyed: a FIN without close_notify. The server's
    close_notify comes to a socket that is gone, and draws a RST."""
    node_server(stage, 5000, tls=True)
    node_client(stage, "agent", tls=True)


@recording("node")
def node_server_times_out(stage):
    """Node's server ends a connection that Python's http.client keeps for a second."""
    node_server(stage, 1000)
    python_client(stage, "wait")


@recording("node", "openssl")
def node_server_times_out_tls(stage):
    """Node's server ends a TLS connection that Python's http.client keeps for a second, by a FIN without close_notify.
    The client's alert about that comes to a socket that is gone, and draws a RST."""
    node_server(stage, 1000, tls=True)
    python_client(stage, "wait", tls=True)


@recording("node", "nginx")
def node_agent_timed_out(stage):
    """nginx ends a connection that Node's agent keeps for a second."""
    nginx(stage, keep_alive_s=1)
    node_client(stage, "wait")


@recording("node", "nginx", "openssl")
def node_agent_timed_out_tls(stage):
    """nginx ends a TLS connection that Node's agent keeps for a second. The agent's close_notify comes to a socket that
    is gone, and draws a RST."""
    nginx(stage, keep_alive_s=1, tls=True)
    node_client(stage, "wait", tls=True)


@recording("node")
def node_parallel(stage):
    """Node's agent, four requests to Node's http on four connections at once; then the agent is destroyed."""
    node_server(stage, 5000)
    node_client(stage, "parallel")


@recording("node", accuses=("abort",), surely=False)
def node_destroy(stage):
    """A request of Node's is destroyed while its answer comes. What still comes draws a RST: it was sent to nobody. If
    some had come and was not read, there is a RST in place of the FIN."""
    node_server(stage, 5000)
    node_client(stage, "destroy")


@recording("node", sysctls=KEEP_ALIVE)
def websocket_idle(stage):
    """A connection upgraded as a WebSocket is, long idle with keep-alives of TCP, between Node and Node."""
    node_server(stage, 5000)
    node_client(stage, "websocket")


# ---------------------------------------------------------------- SSH

@recording("ssh", "sshd")
def ssh_true(stage):
    """ssh host true."""
    stage.call(["ssh", *sshd(stage), NAME, "true"])


@recording("scp", "sshd")
def scp_there(stage):
    """scp of a file to the server."""
    words = sshd(stage)
    stage.write("file", "hello\n")
    stage.call(["scp", "-q", *words, stage.folder / "file", f"{NAME}:{stage.folder}/copy"])


@recording("ssh", "sshd", "curl")
def ssh_forward(stage):
    """ssh -L, through which curl gets a page on the server; then the client is terminated."""
    words = sshd(stage)
    stage.write("index.html", "hello\n")
    stage.serve([stage.interpreter, "-I", "-m", "http.server", 8080, "--bind", "127.0.0.1"], 8080)
    tunnel = stage.serve(["ssh", *words, "-N", "-L", "127.0.0.1:8000:127.0.0.1:8080", NAME], 8000, "client")
    stage.call(["curl", "-sS", "--noproxy", "*", "http://127.0.0.1:8000/index.html"])
    stage.lab.settle(WAIT_S)
    tunnel.terminate()
    tunnel.wait()
