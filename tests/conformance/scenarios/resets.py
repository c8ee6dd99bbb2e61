# SPDX-License-Identifier: GPL-2.0-or-later
"""Every reason that Linux has for a RST, as far as a program at an end can bring it about; those that
the other themes bring about apart. That of memory only by another stack (stacks/): its limits are those of the whole machine,
not of a namespace."""

import socket
import subprocess

from forge import forge
from lab import TIMEOUT_S, abort, send
from scenarios import close, enter, scenario, talk
from wire import ACK, DATA, EVERY, HOSTS, RST, SYN, SYN_ACK, any_segment

_TCP_USER_TIMEOUT = 18  # of linux/tcp.h
_TCP_LINGER2 = 8
_KEEP_ALIVE = {"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1}


def _enter_for_each(name, play, meaning, look="", **needs):
    """Enter play(lab, who) for either host. meaning: with {who} for it. look: of the server's."""
    for who in HOSTS:
        enter(f"{name}-by-{who}", lambda lab, who=who: play(lab, who), meaning.format(who=who),
              look=look if who == "server" else "", **needs)


def _connect(lab, who):
    """A connection after one request and its answer: the socket of that host, and the other's."""
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    return (client, server) if who == "client" else (server, client)


def _close_unread(lab, who):
    mine, other = _connect(lab, who)
    other.sendall(b"x" * 1000)
    lab.settle()
    mine.close()


_enter_for_each("unread-data", _close_unread, "The {who} closes, and has not read what it was sent (RFC 2525 section 2.17).")


def _close_unread_after_answer(lab, who):
    mine, other = _connect(lab, who)
    other.sendall(b"x" * 1000)
    lab.settle()
    mine.sendall(b"No.\n")
    mine.close()


_enter_for_each("answer-and-unread-data", _close_unread_after_answer,
                "The {who} answers a request of which it has read nothing, and closes (RFC 2525 section 2.17).",
                look="tcpstate.reset_cause")


def _abort_after_answer(lab, who):
    mine, other = _connect(lab, who)
    send(other, mine, b"x" * 1000)
    mine.sendall(b"No.\n")
    abort(mine)


_enter_for_each("answer-and-abort", _abort_after_answer, "The {who} answers, and aborts at once.")


def _unread_after_shutdown(lab, who):
    mine, other = _connect(lab, who)
    mine.shutdown(socket.SHUT_WR)
    lab.settle()
    other.sendall(b"x" * 1000)
    lab.settle()
    mine.close()


_enter_for_each("unread-data-in-fin-wait-2", _unread_after_shutdown,
                "The {who} has sent its FIN, and closes with data unread.")


def _data_to_closed(lab, who):
    mine, other = _connect(lab, who)
    mine.close()
    lab.settle()
    other.sendall(b"x" * 1000)


_enter_for_each("data-to-closed", _data_to_closed, "The {who} has closed; data come all the same.")


def _data_cross_fin(lab, who):
    mine, other = _connect(lab, who)
    mine.close()
    other.sendall(b"x" * 1000)
    lab.settle()
    other.close()


_enter_for_each("data-cross-fin", _data_cross_fin, "The {who} closes while data are on the way to it.")


def _data_before_own_fin_is_acked(lab, who):
    mine, other = _connect(lab, who)
    lab.wire.lose("client" if who == "server" else "server", ACK, nth=EVERY)
    mine.close()
    lab.settle(0.1)
    other.sendall(b"x" * 1000)
    lab.settle()


_enter_for_each("data-to-fin-wait-1", _data_before_own_fin_is_acked,
                "The {who} is in FIN_WAIT_1, its program gone, and data come.")


def _data_behind_zero_window(lab, who):
    mine, other = _connect(lab, who)
    mine.settimeout(0.3)
    try:
        mine.sendall(b"x" * 20_000_000)  # more than fits: the FIN waits
    except TimeoutError:
        pass
    mine.close()
    other.sendall(b"x" * 100)
    lab.settle(0.3)


_enter_for_each("data-before-fin-can-leave", _data_behind_zero_window,
                "The {who} has closed, but its FIN waits behind data, and data come.", snaplen=128)


def _linger2(lab, who):
    mine, other = _connect(lab, who)
    mine.setsockopt(socket.IPPROTO_TCP, _TCP_LINGER2, -1)
    mine.shutdown(socket.SHUT_WR)
    lab.settle()
    mine.close()
    lab.settle()
    other.close()


_enter_for_each("no-fin-wait-2", _linger2, "The {who} allows no FIN_WAIT_2 without a program (TCP_LINGER2).")


def _user_timeout(lab, who):
    mine, _ = _connect(lab, who)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    mine.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, 1500)
    lab.wire.lose("client" if who == "server" else "server", any_segment, nth=EVERY)
    lab.idle(3.5)


_enter_for_each("user-timeout", _user_timeout, "The {who}'s keep-alives go unanswered for TCP_USER_TIMEOUT.",
                sysctls=_KEEP_ALIVE | {"net.ipv4.tcp_keepalive_probes": 9})


def _keep_alive(lab, who):
    mine, _ = _connect(lab, who)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    lab.wire.lose("client" if who == "server" else "server", any_segment, nth=EVERY)
    lab.idle(4.5)


_enter_for_each("keep-alive-in-vain", _keep_alive, "The {who}'s keep-alives go unanswered.",
                look='tcpstate.reset_cause=="keep-alive or user timeout"', at="server",
                sysctls=_KEEP_ALIVE | {"net.ipv4.tcp_keepalive_probes": 2})


def _segment_to_nobody(lab, who):
    ends = {"client": lab.socket("client", 40000), "server": lab.socket("server", 5000)}
    if who == "server":
        ends["server"].listen()
    ends["client"].setblocking(False)
    ends["client"].connect_ex(lab.address("server", 5000))
    lab.settle()
    ends["server" if who == "client" else "client"].close()
    forge(lab, "server" if who == "client" else "client", ("ACK",), 0)
    lab.settle()


_enter_for_each("stray-to", _segment_to_nobody, "An ACK that belongs to nothing comes to the {who}.")


@scenario("Four connect at once to a queue with room for two, and the server refuses the others (tcp_abort_on_overflow).",
          sysctls={"net.ipv4.tcp_syncookies": 0, "net.ipv4.tcp_abort_on_overflow": 1})
def overflow_refused(lab):
    lab.listen(backlog=1)
    for port in range(40000, 40004):
        lab.start_connecting(port=port)
    lab.settle(1.2)


@scenario("The listener closes with three connections in its queue.")
def listener_closed_with_queue(lab):
    listener = lab.listen()
    clients = [lab.start_connecting(port=port) for port in range(40000, 40003)]
    lab.settle()
    clients[0].sendall(b"Are you there?\n")
    clients[1].shutdown(socket.SHUT_WR)
    lab.settle()
    listener.close()
    lab.settle()
    for client in clients:
        client.close()


@scenario("The client gives up before the SYN,ACK comes.")
def given_up_while_connecting(lab):
    listener = lab.listen()
    lab.wire.delay("server", SYN_ACK, 0.3)
    client = lab.start_connecting()
    lab.idle(0.2)
    client.close()
    lab.settle(0.5)
    listener.close()


@scenario("The client gives up, and so does the server's listener; the SYN,ACK comes later.")
def both_given_up_while_connecting(lab):
    listener = lab.listen()
    lab.wire.delay("server", SYN_ACK, 0.3)
    client = lab.start_connecting()
    lab.idle(0.2)
    client.close()
    listener.close()
    lab.settle(0.5)


@scenario("The client aborts as soon as it is connected.")
def abort_at_once(lab):
    lab.listen()
    client = lab.start_connecting()
    lab.settle()
    abort(client)


@scenario("The server accepts, and aborts at once.")
def abort_as_soon_as_accepted(lab):
    listener = lab.listen()
    client = lab.start_connecting()
    abort(lab.accept(listener))
    lab.settle()
    client.close()


@scenario("The server closes an idle connection while the client's next request is on its way.",
          look="tcpstate.expert.close_race")
def request_races_close(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle(0.5)
    server.close()
    lab.idle(0.005)
    client.sendall(b"Are you there?\n")
    lab.settle()


@scenario("Twenty requests around the server's close: each comes to it 4 ms later than the one before.", snaplen=128)
def requests_race_close(lab):
    listener = lab.listen()
    for step in range(20):
        client, server = lab.connect(listener, port=40000 + step)
        talk(client, server)
        lab.settle(0.05)
        if step < 10:
            server.close()
            lab.idle(step * 0.004)
            client.sendall(b"Are you there?\n")
        else:
            client.sendall(b"Are you there?\n")
            lab.idle((step - 9) * 0.004)
            server.close()
        lab.settle(0.05)
        client.close()


@scenario("Multipath TCP: the client closes with data unread.", mptcp=("client", "server"))
def mptcp_unread_data(lab):
    _close_unread(lab, "client")


@scenario("Multipath TCP: data come to a client that has closed.", mptcp=("client", "server"))
def mptcp_data_to_closed(lab):
    _data_to_closed(lab, "client")


@scenario("More connections that their programs have left than the machine keeps: it resets the second as it is closed, and the "
          "first, whose FIN is not acknowledged.", machine_sysctls={"net.ipv4.tcp_max_orphans": 0})
def too_many_orphans(lab):
    who, = set(HOSTS) - set(lab.kernels)
    other, = set(HOSTS) - {who}
    listener = lab.listen()
    pairs = [dict(zip(HOSTS, lab.connect(listener, port=port))) for port in (40000, 40001)]
    for pair in pairs:
        talk(*pair.values())
    lab.settle()
    lab.wire.lose(other, lambda s: 40000 in (s.source_port, s.destination_port), nth=EVERY)
    pairs[0][who].close()
    lab.idle(0.3)  # until the kernel, which counts them every 0.1 s, knows of it
    pairs[1][who].close()
    lab.idle(1.5)


_SECOND_PORT = "5001"


def _connect_to_be_joined(lab, subflows):
    """A connection of Multipath TCP, which the client joins by a second subflow to another port of the server. subflows:
    how many more than one the server takes."""
    def set_up(host, *words):
        with lab.hosts[host].inside():
            subprocess.run(["ip", "mptcp", *words], check=True, timeout=TIMEOUT_S)
    set_up("client", "limits", "set", "subflows", "1", "add_addr_accepted", "1")
    set_up("server", "limits", "set", "subflows", str(subflows))
    set_up("server", "endpoint", "add", lab.address("server", 0)[0], "port", _SECOND_PORT, "signal")
    client, server = lab.connect()
    send(client, server, b"Are you there?\n")
    lab.settle(0.5)
    return client, server


@scenario("Multipath TCP: the server takes no second subflow.", mptcp=("client", "server"), look="tcpstate.reset_cause")
def mptcp_join_prohibited(lab):
    client, server = _connect_to_be_joined(lab, subflows=0)
    close(lab, client, server)


@scenario("Multipath TCP: when the second subflow's SYN comes, the server has aborted, and the client does not know yet.",
          mptcp=("client", "server"))
def mptcp_join_after_abort(lab):
    held = lab.wire.hold("client", lambda s: SYN(s) and s.destination_port == int(_SECOND_PORT), nth=EVERY)
    client, server = _connect_to_be_joined(lab, subflows=1)
    lab.wire.delay("server", RST, 0.5)
    abort(server)
    lab.idle(0.1)
    held.release()
    lab.settle(0.6)
    client.close()


@scenario("Multipath TCP: the client aborts a connection of two subflows.", mptcp=("client", "server"))
def mptcp_abort_of_two(lab):
    client, server = _connect_to_be_joined(lab, subflows=1)
    abort(client)
    lab.settle()
    server.close()


@scenario("Multipath TCP: the client closes a connection of two subflows with data unread.", mptcp=("client", "server"))
def mptcp_unread_data_of_two(lab):
    client, server = _connect_to_be_joined(lab, subflows=1)
    server.sendall(b"x" * 1000)
    lab.settle()
    client.close()
    lab.settle()
    server.close()


@scenario("Data in flight when the client aborts, answered one by one.")
def data_after_abort(lab):
    client, server = lab.connect()
    held = lab.wire.hold("server", DATA)
    server.sendall(b"x" * 5000)
    lab.idle(0.05)
    abort(client)
    held.release()
    lab.settle()
    close(lab, server)
