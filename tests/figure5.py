# SPDX-License-Identifier: GPL-2.0-or-later
"""The arcs of RFC 9293 figure 5, and the events that lead along them."""

# RFC 9293 figure 5 and section 3.10.7: the arcs, and what leads along each.
ARCS = {
    ("CLOSED", "SYN_SENT"): ("snd SYN",), ("LISTEN", "SYN_SENT"): ("snd SYN",),
    ("TIME_WAIT", "SYN_SENT"): ("snd SYN",),
    ("CLOSED", "SYN_RCVD"): ("rcv SYN",), ("LISTEN", "SYN_RCVD"): ("rcv SYN",),
    ("TIME_WAIT", "SYN_RCVD"): ("rcv SYN",),
    ("SYN_SENT", "SYN_RCVD"): ("rcv SYN", "snd SYN,ACK"),
    ("SYN_SENT", "ESTABLISHED"): ("rcv SYN,ACK",), ("SYN_RCVD", "ESTABLISHED"): ("rcv ACK of SYN",),
    ("SYN_RCVD", "FIN_WAIT_1"): ("snd FIN",), ("ESTABLISHED", "FIN_WAIT_1"): ("snd FIN",),
    ("SYN_RCVD", "CLOSE_WAIT"): ("rcv FIN",), ("ESTABLISHED", "CLOSE_WAIT"): ("rcv FIN",),
    ("FIN_WAIT_1", "FIN_WAIT_2"): ("rcv ACK of FIN",), ("FIN_WAIT_1", "CLOSING"): ("rcv FIN",),
    ("FIN_WAIT_1", "TIME_WAIT"): ("rcv FIN and ACK of FIN",), ("FIN_WAIT_2", "TIME_WAIT"): ("rcv FIN",),
    ("CLOSING", "TIME_WAIT"): ("rcv ACK of FIN",), ("CLOSE_WAIT", "LAST_ACK"): ("snd FIN",),
    ("LAST_ACK", "CLOSED"): ("rcv ACK of FIN",), ("TIME_WAIT", "CLOSED"): ("2MSL timeout",),
}
_RESETS = ("rcv RST", "snd RST")


def leads_along(event, left, entered):
    """Whether that event takes an end from one state to the other. A reset does so from any state to
    CLOSED, and back to LISTEN; and an end that sends a SYN in the middle of a connection had lost
    that in silence (figure 9)."""
    if event in _RESETS:
        return entered in ("CLOSED", "LISTEN")
    if event == "snd SYN":
        return entered == "SYN_SENT" and left not in ("SYN_RCVD", "SYN_SENT")
    return event in ARCS.get((left, entered), ())
