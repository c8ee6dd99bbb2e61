# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that end by a RST, or without a word."""

import socket

from lab import abort, crash
from scenarios import close, enter, scenario, talk
from scenarios.positions import REACHABLE, reach
from wire import DATA, EVERY, HOSTS, RST, any_segment


@scenario("The client aborts with a RST.", look="tcp.flags.reset==1")
def client_aborts(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    abort(client)


@scenario("The server aborts with a RST.", look="tcp.flags.reset==1")
def server_aborts(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    abort(server)


@scenario("The client has closed its side; the server, in CLOSE_WAIT, aborts instead of closing.",
          look="tcpstate.remote.left==CLOSE_WAIT")
def abort_in_close_wait(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    client.shutdown(socket.SHUT_WR)
    lab.settle()
    abort(server)


@scenario("The client aborts while its data are on the way.")
def abort_with_data_in_flight(lab):
    client, server = lab.connect()
    client.sendall(b"x" * 5000)
    abort(client)
    lab.settle()
    close(lab, server)


@scenario("The client aborts while the server lacks data before those it has: the RST is not at the "
          "next number that it expects.")
def abort_over_a_hole(lab):
    client, server = lab.connect()
    lab.wire.lose("client", DATA)
    client.sendall(b"x" * 100)
    client.sendall(b"y" * 100)
    abort(client)
    lab.settle()
    close(lab, server)


@scenario("Both abort at once: the RSTs cross.")
def both_abort(lab):
    client, server = lab.connect()
    abort(client)
    abort(server)


@scenario("A FIN and a RST cross on the wire.")
def abort_crosses_close(lab):
    client, server = lab.connect()
    client.close()
    abort(server)


@scenario("The RST is lost; the server finds out when it sends.")
def lost_rst(lab):
    client, server = lab.connect()
    lab.wire.lose("client", RST)
    abort(client)
    lab.settle()
    server.sendall(b"Are you there?\n")
    close(lab, server)


@scenario("The client loses power. The server finds out when it sends.",
          look="tcpstate.expert.half_open", at="server")
def half_open_found_by_data(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    crash(client)
    lab.idle(0.5)
    server.sendall(b"Are you there?\n")
    close(lab, server)


@scenario("The server loses power. The client finds out when it closes.")
def half_open_found_by_close(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    crash(server)
    lab.idle(0.5)
    close(lab, client)


@scenario("The client loses power, and connects again from the same port: RFC 9293 figure 9.")
def half_open_found_by_syn(lab):
    listener = lab.listen()
    client, server = lab.connect(listener)
    talk(client, server)
    lab.settle()
    crash(client)
    lab.idle(0.5)
    client, second = lab.connect(listener)
    talk(client, second)
    close(lab, client, second)
    server.close()


@scenario("The client loses power, and connects again while the server closes the old connection.")
def half_open_syn_crosses_close(lab):
    listener = lab.listen()
    client, server = lab.connect(listener)
    talk(client, server)
    lab.settle()
    crash(client)
    lab.idle(0.5)
    client = lab.start_connecting()
    server.close()
    lab.settle(1.5)  # until the SYN is sent again
    close(lab, client, lab.accept(listener))


@scenario("The server loses power in CLOSE_WAIT, and the client waits in vain.",
          sysctls={"net.ipv4.tcp_fin_timeout": 1})
def crash_in_close_wait(lab):
    client, server = lab.connect()
    client.shutdown(socket.SHUT_WR)
    lab.settle()
    crash(server)
    lab.settle()
    close(lab, client)
    lab.idle(1.5)


@scenario("The cable is cut. The client's keep-alives go unanswered until it gives up.",
          sysctls={"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1,
                   "net.ipv4.tcp_keepalive_probes": 2})
def keep_alive_gives_up(lab):
    client, server = lab.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    talk(client, server)
    lab.settle()
    for host in "client", "server":
        lab.wire.lose(host, any_segment, nth=EVERY)
    lab.idle(4.5)


@scenario("The client answers no more. The server's keep-alives end it; its RST arrives.",
          sysctls={"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1,
                   "net.ipv4.tcp_keepalive_probes": 2})
def keep_alive_gives_up_with_rst(lab):
    client, server = lab.connect()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    talk(client, server)
    lab.settle()
    lab.wire.lose("client", any_segment, nth=EVERY)
    lab.idle(4.5)


@scenario("The cable is cut in FIN_WAIT_1: the orphan is given up.",
          sysctls={"net.ipv4.tcp_orphan_retries": 2})
def fin_never_answered(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    for host in "client", "server":
        lab.wire.lose(host, any_segment, nth=EVERY)
    client.close()
    lab.idle(3.5)


@scenario("A segment with old data arrives long after: the ACK that TIME_WAIT sends meets no "
          "socket, and the RST ends TIME_WAIT (RFC 1337).",
          look="tcpstate.expert.time_wait_cut")
def time_wait_assassinated(lab):
    client, server = lab.connect()
    lab.wire.duplicate("server", DATA, after_s=1.5)
    talk(client, server)
    for end in client, server:  # without waiting for the wire to fall silent: the copy is under way
        lab.idle(0.3)
        end.close()
    lab.idle(2)


@scenario("The same, with the RFC 1337 protection on.", sysctls={"net.ipv4.tcp_rfc1337": 1})
def time_wait_not_assassinated(lab):
    time_wait_assassinated(lab)


# Abort in every state that a connection can be brought to, at each end.

def _enter_abort(state, who):
    def play(lab):
        position = reach(lab, state, who)
        abort(position.me)
        lab.settle()
        position.mend()
        lab.settle(0.5)
        position.other.close()
    enter(f"abort-in-{state.lower().replace('_', '-')}-of-{who}", play,
          f"The {who} aborts in {state}.")


for _who in HOSTS:
    for _state in REACHABLE[_who]:
        if _state not in ("SYN_RCVD", "TIME_WAIT"):  # which have no socket that could abort
            _enter_abort(_state, _who)
