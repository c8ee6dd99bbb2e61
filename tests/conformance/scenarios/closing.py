# SPDX-License-Identifier: GPL-2.0-or-later
"""How connections close, on a wire without mishaps."""

import socket

from lab import send
from scenarios import close, enter, scenario, talk


@scenario("The client closes, then the server: the path that every textbook shows.",
          look="tcpstate.transition")
def client_closes_first(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client, server)


@scenario("The same as Ethernet frames, where no frame tells which host captured it.",
          ethernet=True, look="tcpstate.local.by")
def client_closes_first_ethernet(lab):
    client_closes_first(lab)


@scenario("The server closes first, so TIME_WAIT stays with the server.", at="server",
          look="tcpstate.server==TIME_WAIT")
def server_closes_first(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, server, client)


@scenario("The same as Ethernet frames: without a direction, the end that opened is local.",
          ethernet=True, at="server", look="tcpstate.local.by")
def server_closes_first_ethernet(lab):
    server_closes_first(lab)


@scenario("The client shuts down sending; the server sends 100 kB into the half-closed connection, "
          "then closes.", snaplen=128, look="tcpstate.client==FIN_WAIT_2 && tcp.len > 0")
def half_close_download(lab):
    client, server = lab.connect()
    send(client, server, b"Send me all.\n")
    client.shutdown(socket.SHUT_WR)
    lab.settle()
    part = b"All work and no play makes Jack a dull boy.\n" * 220  # just under 10 kB
    for _ in range(9):
        send(server, client, part)
    server.sendall(part)
    server.close()
    while client.recv(65536):
        pass
    close(lab, client)


@scenario("Both close while neither knows of the other's close: the FINs cross on the wire.",
          look="tcpstate.local==CLOSING || tcpstate.remote==CLOSING")
def simultaneous_close(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    client.close()
    server.close()


@scenario("The server never closes: it stays in CLOSE_WAIT, the client in FIN_WAIT_2, and only "
          "keep-alives pass.", sysctls={"net.ipv4.tcp_keepalive_time": 1,
                                        "net.ipv4.tcp_keepalive_intvl": 1},
          look="tcpstate.remote==CLOSE_WAIT")
def close_wait_left_open(lab):
    client, server = lab.connect()
    talk(client, server)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    lab.settle()
    client.shutdown(socket.SHUT_WR)
    lab.idle(5.5)


@scenario("Both half-close at once, wait, and then close.")
def simultaneous_half_close(lab):
    client, server = lab.connect()
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    close(lab, client, server)


@scenario("Both send and close at once: each FIN has data before it.")
def simultaneous_close_with_data(lab):
    client, server = lab.connect()
    client.sendall(b"Good-bye.\n")
    server.sendall(b"Farewell.\n")
    for end in client, server:
        end.shutdown(socket.SHUT_WR)
    lab.settle()
    client.recv(100)
    server.recv(100)
    close(lab, client, server)


@scenario("The server closes as soon as it has the client's FIN: FIN and ACK in one.")
def three_segment_close(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    server.close()
    close(lab, client)


@scenario("The client closes with data unread: a RST instead of a FIN.")
def close_with_unread_data(lab):
    client, server = lab.connect()
    server.sendall(b"Did you read this?\n")
    close(lab, client, server)


@scenario("The server closes with data unread, after the client's FIN.")
def close_with_unread_data_in_close_wait(lab):
    client, server = lab.connect()
    client.sendall(b"Did you read this?\n")
    client.shutdown(socket.SHUT_WR)
    close(lab, server, client)


@scenario("The server sends to a client that has closed for good: a RST answers.",
          look="tcpstate.expert.data_after_close", at="server")
def data_after_close(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client)
    server.sendall(b"Are you still there?\n")
    close(lab, server)


@scenario("Data for a client that has closed for good, with its FIN not yet acknowledged.")
def data_crossing_close(lab):
    client, server = lab.connect()
    client.close()
    server.sendall(b"Are you still there?\n")
    close(lab, server)


@scenario("The kernel ends FIN_WAIT_2 of a closed socket after tcp_fin_timeout, without a segment; "
          "then the server closes.", sysctls={"net.ipv4.tcp_fin_timeout": 1})
def fin_wait_2_times_out(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client)
    lab.idle(2.0)
    close(lab, server)


def _stuffed(lab):
    """A connection where the client has sent as much as the server has room for, and more."""
    listener = lab.listen()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client, server = lab.connect(listener)
    client.settimeout(0.3)
    try:
        client.sendall(b"x" * 10_000_000)
        raise RuntimeError("the server took ten million bytes")
    except TimeoutError:
        pass
    lab.settle(0.05)
    return client, server


def _drain(end):
    """Read until the other end's FIN."""
    while end.recv(65536):
        pass


@scenario("The client closes while the server's window is shut: its FIN waits behind the data.",
          snaplen=128, sysctls={"net.ipv4.tcp_wmem": "4096 16384 32768"})
def close_into_zero_window(lab):
    client, server = _stuffed(lab)
    client.close()
    lab.idle(0.5)
    _drain(server)
    close(lab, server)


@scenario("The server closes towards a client that has data waiting for the server's window.",
          snaplen=128, sysctls={"net.ipv4.tcp_wmem": "4096 16384 32768"})
def half_close_with_zero_window(lab):
    client, server = _stuffed(lab)
    server.shutdown(socket.SHUT_WR)
    lab.idle(0.5)
    client.close()
    lab.idle(0.5)
    _drain(server)
    close(lab, server)


@scenario("Both close while the server's window is shut: the server's unread data mean a RST.",
          snaplen=128, sysctls={"net.ipv4.tcp_wmem": "4096 16384 32768"})
def both_close_with_zero_window(lab):
    client, server = _stuffed(lab)
    client.close()
    lab.idle(0.3)
    close(lab, server)


@scenario("The server shuts down sending and sends 100 kB no more; the client sends them instead.",
          snaplen=128)
def half_close_upload(lab):
    client, server = lab.connect()
    server.shutdown(socket.SHUT_WR)
    lab.settle()
    for _ in range(10):
        send(client, server, b"All work and no play makes Jack a dull boy.\n" * 220)
    close(lab, client, server)


# Shutdown of either direction, in each order, at each end first.

_ORDERS = {
    "read": (socket.SHUT_RD,),
    "write": (socket.SHUT_WR,),
    "both": (socket.SHUT_RDWR,),
    "read-then-write": (socket.SHUT_RD, socket.SHUT_WR),
    "write-then-read": (socket.SHUT_WR, socket.SHUT_RD),
}


def _enter_shutdown(first, order, hows):
    def play(lab):
        client, server = lab.connect()
        talk(client, server)
        one, other = (client, server) if first == "client" else (server, client)
        for how in hows:
            lab.settle()
            one.shutdown(how)
        lab.settle()
        other.sendall(b"Anything else?\n")  # also to one that does not want to read
        close(lab, other, one)
    enter(f"shutdown-{order}-by-{first}", play,
          f"The {first} shuts down {order.replace('-', ' ')}, the other end sends and closes.")


for _first in "client", "server":
    for _order, _hows in _ORDERS.items():
        _enter_shutdown(_first, _order, _hows)
