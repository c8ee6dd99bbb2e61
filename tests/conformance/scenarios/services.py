# SPDX-License-Identifier: GPL-2.0-or-later
"""Timers and other protocols, and captures that do not have all."""

import socket

from lab import abort
from scenarios import aborts, close, closing, losses, opening, scenario, talk
from scenarios.closing import client_closes_first
from wire import EVERY, any_segment


@scenario("Keep-alives on an idle connection change no state.",
          sysctls={"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1},
          look="tcp.analysis.keep_alive || tcp.analysis.keep_alive_ack")
def keep_alive(lab):
    client, server = lab.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    talk(client, server)
    lab.idle(3.5)
    close(lab, client, server)


@scenario("The client closes first, over IPv6.", ipv6=True, look="ipv6 && tcpstate.transition")
def ipv6(lab):
    client_closes_first(lab)


@scenario("The capture begins after the handshake.", midstream=True, look="tcpstate.midstream")
def midstream(lab, capture):
    client, server = lab.connect()
    capture()
    talk(client, server)
    close(lab, client, server)


@scenario("Only what the client sends was captured.", only="src host 10.9.0.1",
          look="tcpstate.remote.confirmed==0")
def one_direction(lab):
    client_closes_first(lab)


@scenario("The capture begins in the midst of a close.", midstream=True)
def midstream_in_close(lab, capture):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client)
    capture()
    close(lab, server)


@scenario("Only what the server sends was captured.", only="src host 10.9.0.2")
def other_direction(lab):
    client_closes_first(lab)


@scenario("Both close at once, over IPv6.", ipv6=True)
def ipv6_simultaneous_close(lab):
    closing.simultaneous_close(lab)


@scenario("Both open at once, over IPv6.", ipv6=True)
def ipv6_simultaneous_open(lab):
    opening.simultaneous_open(lab)


@scenario("An abort, over IPv6.", ipv6=True)
def ipv6_abort(lab):
    aborts.server_aborts(lab)


@scenario("The last ACK is lost, over IPv6.", ipv6=True)
def ipv6_lost_last_ack(lab):
    losses.lost_last_ack(lab)


@scenario("Without timestamps.", sysctls={"net.ipv4.tcp_timestamps": 0})
def no_timestamps(lab):
    client_closes_first(lab)


@scenario("The last ACK is lost, without timestamps.", sysctls={"net.ipv4.tcp_timestamps": 0})
def no_timestamps_lost_last_ack(lab):
    losses.lost_last_ack(lab)


@scenario("Both close at once, without timestamps and selective acknowledgements.",
          sysctls={"net.ipv4.tcp_timestamps": 0, "net.ipv4.tcp_sack": 0,
                   "net.ipv4.tcp_window_scaling": 0})
def plain_simultaneous_close(lab):
    closing.simultaneous_close(lab)


@scenario("Multipath TCP at both ends; the client closes first.", mptcp=("client", "server"))
def mptcp(lab):
    client_closes_first(lab)


@scenario("Multipath TCP at both ends; the server closes first.", mptcp=("client", "server"))
def mptcp_server_closes_first(lab):
    closing.server_closes_first(lab)


@scenario("Multipath TCP at both ends, which close at once.", mptcp=("client", "server"))
def mptcp_simultaneous_close(lab):
    closing.simultaneous_close(lab)


@scenario("Multipath TCP at both ends; an abort.", mptcp=("client", "server"))
def mptcp_abort(lab):
    aborts.client_aborts(lab)


@scenario("Multipath TCP at both ends; half-closed, and data go on.", snaplen=128,
          mptcp=("client", "server"))
def mptcp_half_close(lab):
    closing.half_close_download(lab)


@scenario("Multipath TCP asked for, and not spoken by the server.", mptcp=("client",))
def mptcp_fallback(lab):
    client_closes_first(lab)


@scenario("A RST from a client that was taken for dead by its own keep-alive, in FIN_WAIT_2.",
          sysctls={"net.ipv4.tcp_keepalive_time": 1, "net.ipv4.tcp_keepalive_intvl": 1,
                   "net.ipv4.tcp_keepalive_probes": 1})
def keep_alive_in_fin_wait_2(lab):
    client, server = lab.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.shutdown(socket.SHUT_WR)
    lab.settle()
    lab.wire.lose("server", any_segment, nth=EVERY)
    lab.idle(3.5)
    abort(server)
