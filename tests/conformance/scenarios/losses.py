# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that the wire loses or holds up, for the bundled captures; all the others: mishaps.py."""

from scenarios import close, scenario, talk
from wire import ACK, DATA, FIN, SYN, SYN_ACK


@scenario("The first SYN is lost; its repetition opens the connection.", look="tcp.flags.syn==1")
def lost_syn(lab):
    lab.wire.lose("client", SYN)
    client, server = lab.connect()
    close(lab, client, server)


@scenario("The first SYN,ACK is lost; the server repeats it of its own accord, for the client's "
          "second SYN is lost too.", at="server", look="tcpstate.server==SYN_RCVD")
def lost_syn_ack(lab):
    lab.wire.lose("server", SYN_ACK)
    lab.wire.lose("client", SYN, nth=2)  # else it is chance which of the two repeats first
    client, server = lab.connect()
    close(lab, client, server)


@scenario("The ACK that ends the handshake is lost: the server stays in SYN_RCVD and repeats its "
          "SYN,ACK.", look="tcpstate.remote.left==ESTABLISHED")
def lost_final_ack(lab):
    lab.wire.lose("client", ACK)
    client, server = lab.connect()
    close(lab, client, server)


@scenario("The client's FIN is lost; it repeats it, in FIN_WAIT_1 all the while.",
          look="tcp.flags.fin==1")
def lost_fin(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    lab.wire.lose("client", FIN)
    client.close()
    lab.wire.wait_for("client", FIN, nth=2)
    close(lab, server)


@scenario("The last ACK of all is lost: the server stays in LAST_ACK and repeats its FIN, the "
          "client answers from TIME_WAIT.", look="tcpstate.remote.left==CLOSED")
def lost_last_ack(lab):
    client, server = lab.connect()
    talk(client, server)
    close(lab, client)
    lab.wire.lose("client", ACK)
    server.close()
    lab.wire.wait_for("server", FIN, nth=2)


@scenario("The client's FIN arrives before its last data; the server stays ESTABLISHED until the "
          "hole is filled.", at="server", look="tcp.flags.fin==1 || tcpstate.transition")
def fin_overtakes_data(lab):
    client, server = lab.connect()
    talk(client, server)
    lab.settle()
    lab.wire.delay("client", DATA, by_s=0.01)  # too short for the client to send it again
    client.sendall(b"Good-bye.\n")
    client.close()
    server.recv(100)
    close(lab, server)
