# SPDX-License-Identifier: GPL-2.0-or-later
"""How connections open, and how they do not."""

import socket

from lab import CLIENT_PORT, SERVER_PORT, abort, send
from scenarios import close, scenario, talk
from wire import ACK, EVERY, SYN, SYN_ACK

TCP_FASTOPEN_CONNECT = 30  # of linux/tcp.h; Python's socket lacks it
_REUSE_AFTER_S = 1.1  # the kernel waits this long until it calls out of TIME_WAIT
_FAST_OPEN = {"net.ipv4.tcp_fastopen": 3}


def _fast_listener(lab):
    """The server's listening socket, which takes data in a SYN."""
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    return listener


def _fast_start(lab, port):
    """A client's socket that has begun to connect with data in its SYN, if it has a cookie."""
    client = lab.socket("client", port)
    client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    client.connect(lab.address("server", SERVER_PORT))  # with a cookie, it waits for data
    client.sendall(b"Are you there?\n")
    return client


def _fast_connection(lab, listener, port=CLIENT_PORT):
    """A connection whose server has read the client's question."""
    client = _fast_start(lab, port)
    server = lab.accept(listener)
    server.recv(100)
    return client, server


@scenario("Both ends connect to each other at once: the SYNs cross on the wire.",
          look="tcp.flags.syn==1")
def simultaneous_open(lab):
    client = lab.start_connecting("client")
    server = lab.start_connecting("server")
    lab.settle()
    talk(client, server)
    close(lab, client, server)


@scenario("Nothing listens on the server's port.", look="tcpstate.server==CLOSED")
def refused(lab):
    lab.start_connecting()


@scenario("Data in the SYN (TCP Fast Open): one connection from port 39999 fetches the cookie, the "
          "one from port 40000 uses it.", sysctls=_FAST_OPEN,
          look="tcp.flags.syn==1 && tcp.len > 0")
def fast_open(lab):
    listener = _fast_listener(lab)
    for port in 39999, 40000:
        client, server = _fast_connection(lab, listener, port)
        send(server, client, b"Yes.\n")
        close(lab, client, server)


@scenario("The server closed first and is in TIME_WAIT when the client connects again from the same "
          "port.", at="server", look="tcpstate.local.previous==TIME_WAIT || tcp.flags.syn==1")
def time_wait_reuse(lab):
    listener = lab.listen()
    for _ in range(2):
        client, server = lab.connect(listener)
        talk(client, server)
        close(lab, server, client)


@scenario("The client closed first and is in TIME_WAIT when it connects again from the same port.",
          sysctls={"net.ipv4.tcp_tw_reuse": 1})
def time_wait_reuse_by_client(lab):
    listener = lab.listen()
    for _ in range(2):
        client, server = lab.connect(listener)
        talk(client, server)
        close(lab, client, server)
        lab.idle(_REUSE_AFTER_S)


@scenario("The server closed first, and then connects to the client itself, out of TIME_WAIT.",
          sysctls={"net.ipv4.tcp_tw_reuse": 1})
def time_wait_reuse_by_server(lab):
    listener = lab.listen()
    client, server = lab.connect(listener)
    talk(client, server)
    close(lab, server, client)
    listener.close()
    lab.idle(_REUSE_AFTER_S)
    caller = lab.start_connecting("server")
    lab.settle()
    abort(caller)


@scenario("Data from the server before the handshake's last ACK: it took the data in the SYN.",
          sysctls=_FAST_OPEN)
def fast_open_early_answer(lab):
    listener = _fast_listener(lab)
    close(lab, *_fast_connection(lab, listener, 39999))
    held = lab.wire.hold("client", ACK)
    client, server = _fast_connection(lab, listener)
    send(server, client, b"Yes.\n")
    held.release()
    send(server, client, b"Yes, indeed.\n")
    close(lab, client, server)


@scenario("The server answers and closes before the handshake's last ACK.", sysctls=_FAST_OPEN)
def fast_open_early_close(lab):
    listener = _fast_listener(lab)
    close(lab, *_fast_connection(lab, listener, 39999))
    held = lab.wire.hold("client", ACK)
    client, server = _fast_connection(lab, listener)
    send(server, client, b"Yes.\n")
    server.close()
    lab.settle()
    held.release()
    close(lab, client)


@scenario("Data in the SYN, which the server refuses, for it no longer does Fast Open.",
          sysctls=_FAST_OPEN)
def fast_open_refused(lab):
    listener = _fast_listener(lab)
    close(lab, *_fast_connection(lab, listener, 39999))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 0)
    client, server = _fast_connection(lab, listener)
    send(server, client, b"Yes.\n")
    close(lab, client, server)


@scenario("The SYN with data is lost; the client repeats it without.", sysctls=_FAST_OPEN)
def fast_open_lost_syn(lab):
    listener = _fast_listener(lab)
    close(lab, *_fast_connection(lab, listener, 39999))
    lab.wire.lose("client", SYN)
    client, server = _fast_connection(lab, listener)
    send(server, client, b"Yes.\n")
    close(lab, client, server)


@scenario("The SYN,ACK to a SYN with data is lost, and the server has closed already.",
          sysctls=_FAST_OPEN)
def fast_open_lost_syn_ack(lab):
    listener = _fast_listener(lab)
    close(lab, *_fast_connection(lab, listener, 39999))
    lab.wire.lose("server", SYN_ACK)
    client, server = _fast_connection(lab, listener)
    server.close()
    lab.settle(1.5)
    close(lab, client)


@scenario("The server does not take part in the handshake: its SYN,ACKs bear cookies.",
          sysctls={"net.ipv4.tcp_syncookies": 2})
def syn_cookies(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client, server)


@scenario("SYN cookies, and the handshake's last ACK is lost: data opens the connection.",
          sysctls={"net.ipv4.tcp_syncookies": 2})
def syn_cookies_lost_ack(lab):
    listener = lab.listen()
    lab.wire.lose("client", ACK)
    client = lab.start_connecting()
    lab.settle()
    client.sendall(b"Are you there?\n")
    server = lab.accept(listener)
    close(lab, client, server)


@scenario("Nobody accepts, and the server's queue is full: later SYNs are dropped.",
          sysctls={"net.ipv4.tcp_syncookies": 0})
def full_backlog(lab):
    lab.listen(backlog=1)
    clients = []
    for port in range(40000, 40004):
        clients.append(lab.start_connecting(port=port))
        lab.settle()
    lab.idle(1.2)
    for client in clients:
        client.close()


@scenario("Four connect at once to a queue with room for two: handshakes that nobody finishes.",
          sysctls={"net.ipv4.tcp_syncookies": 0})
def full_backlog_at_once(lab):
    listener = lab.listen(backlog=1)
    clients = [lab.start_connecting(port=port) for port in range(40000, 40004)]
    lab.settle(1.2)
    servers = [lab.accept(listener), lab.accept(listener)]
    lab.settle(2.5)
    close(lab, *clients, *servers)


@scenario("Nobody answers: the client gives up.", sysctls={"net.ipv4.tcp_syn_retries": 1})
def no_answer(lab):
    lab.wire.lose("client", SYN, nth=EVERY)
    lab.start_connecting()
    lab.idle(3.5)


@scenario("The client closes while its SYN is under way.")
def closed_while_connecting(lab):
    lab.listen()
    client = lab.start_connecting()
    lab.idle(0.015)
    client.close()
    lab.settle(1.2)


@scenario("The listener closes while a handshake is under way.")
def listener_closed_in_handshake(lab):
    listener = lab.listen()
    lab.wire.lose("client", ACK)
    client = lab.start_connecting()
    lab.settle()
    listener.close()
    client.sendall(b"Are you there?\n")
    lab.settle(0.5)


@scenario("The listener closes with a connection that nobody accepted.")
def listener_closed_unaccepted(lab):
    listener = lab.listen()
    client = lab.start_connecting()
    lab.settle()
    client.sendall(b"Are you there?\n")
    lab.settle()
    listener.close()


@scenario("The server accepts only when there are data (TCP_DEFER_ACCEPT).")
def deferred_accept(lab):
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    client = lab.start_connecting()
    lab.settle()
    client.sendall(b"Are you there?\n")
    close(lab, client, lab.accept(listener))


def _both_connect(lab):
    """A connection that both ends opened."""
    client, server = lab.start_connecting("client"), lab.start_connecting("server")
    lab.settle()
    return client, server


@scenario("Both ends open at once; the server closes first.")
def simultaneous_open_server_closes(lab):
    client, server = _both_connect(lab)
    talk(client, server)
    close(lab, server, client)


@scenario("Both ends open at once, and close at once.")
def simultaneous_open_and_close(lab):
    client, server = _both_connect(lab)
    talk(client, server)
    lab.settle()
    client.close()
    server.close()


@scenario("Both ends open at once, and each loses its SYN,ACK on the way.")
def simultaneous_open_lost_syn_acks(lab):
    for host in "client", "server":
        lab.wire.lose(host, SYN_ACK)
    client, server = _both_connect(lab)
    lab.settle(1.5)
    close(lab, client, server)


@scenario("Both ends open at once; the client aborts.")
def simultaneous_open_abort(lab):
    client, _ = _both_connect(lab)
    abort(client)


@scenario("Forty connections at once, closed in every way.")
def many_connections(lab):
    listener = lab.listen()
    clients = [lab.start_connecting(port=40000 + i) for i in range(40)]
    servers = dict(lab.accept_from(listener) for _ in clients)
    lab.settle()
    for i, client in enumerate(clients):
        server = servers[40000 + i]
        first, second = (client, server) if i % 2 else (server, client)
        first.sendall(b"x" * i)
        (first.close, lambda end=first: abort(end))[i % 5 == 4]()
        if i % 3 == 0:
            second.close()
    lab.settle()
    for server in servers.values():
        server.close()
    lab.settle()
    for client in clients:
        client.close()
