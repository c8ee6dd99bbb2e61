# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the cause that the plugin tells of a RST the reason that its kernel told?

A claim is made of each RST that a kernel sent, in each capture that has it.
"""

from typing import NamedTuple

import judge
from frames import ACK, RST
from kernel import UNTOLD

_DEPARTED_S = 0.001  # longest from departure to the capture of the sender's own host
_CAPTURED_S = 0.500  # longest from departure to any capture: delays of the wire

# The reasons, enum sk_rst_reason of include/net/rstreason.h, and the causes that the plugin may tell.
_OF_NO_SOCKET = {
    "nothing listens", "connection unknown", "handshake given up",
    "data after close",               # the socket that closed has ended since
    "old duplicate in TIME_WAIT",     # the ACK that TIME_WAIT sends to it finds no socket: RFC 1337
}
_BY_PROGRAM = {"aborted by its program"}
_UNACCEPTABLE_ACK = {"unacceptable acknowledgement"}
CAUSES = {
    "NO_SOCKET": _OF_NO_SOCKET,
    # The same where a socket listens: LISTEN takes no ACK. Or it was for a request that is not complete.
    "TCP_FLAGS": _OF_NO_SOCKET - {"nothing listens"} | _UNACCEPTABLE_ACK,
    "TCP_INVALID_ACK_SEQUENCE": _UNACCEPTABLE_ACK,
    "TCP_TOO_OLD_ACK": _UNACCEPTABLE_ACK,
    "TCP_ACK_UNSENT_DATA": _UNACCEPTABLE_ACK,
    "TCP_OLD_ACK": _UNACCEPTABLE_ACK,
    "TCP_RFC7323_PAWS": _UNACCEPTABLE_ACK,   # an echoed time stamp that was never sent, in SYN_SENT
    "INVALID_SYN": {"handshake given up"},   # tcp_abort_on_overflow
    "TCP_ABORT_ON_DATA": {"data after close"},
    "TCP_TIMEWAIT_SOCKET": {"data after close"},  # FIN_WAIT_2 without a program, kept in a smaller socket
    "TCP_ABORT_ON_CLOSE": _BY_PROGRAM,
    "TCP_ABORT_ON_LINGER": _BY_PROGRAM,
    "TCP_STATE": _BY_PROGRAM,                # SO_LINGER 0; the listener closed with connections in its queue
    "TCP_DISCONNECT_WITH_DATA": _BY_PROGRAM,
    "TCP_ABORT_ON_MEMORY": _BY_PROGRAM,      # it had closed, and there is no memory for orphans
    "TCP_KEEPALIVE_TIMEOUT": {"keep-alive or user timeout"},
    # Of Multipath TCP (RFC 8684 section 3.6), for one subflow.
    "MPTCP_RST_EMPTCP": _BY_PROGRAM | {"connection unknown"},  # a subflow that joins what its peer does not know
    "MPTCP_RST_EPROHIBIT": {"handshake given up"},  # one more than the end takes
    "MPTCP_RST_EUNSPEC": _BY_PROGRAM,        # its connection has ended
}


class CauseClaim(NamedTuple):
    """What the plugin tells of a RST, and the kernel."""
    frame: int
    host: str
    cause: str
    confirmed: bool
    kernel: str   # its reason
    verdict: str  # judge.RIGHT, judge.WRONG or UNTOLD

    def __str__(self):
        sure = "confirmed" if self.confirmed else "assumed"
        return f"frame {self.frame}: RST of the {self.host}: {self.cause or 'no cause'} ({sure}), kernel {self.kernel}"


def judge_causes(frames, resets, ends):
    """The CauseClaims on the RSTs of a connection. ends: host to ADDRESS:PORT. RSTs that no kernel sent have none."""
    claims = []
    for frame in frames:
        if not frame.has(RST) or frame.forged:
            continue
        flags = "RST,ACK" if frame.has(ACK) else "RST"
        told = [r for r in resets
                if (r.host, r.local, r.flags, r.seq) == (frame.sender, ends[frame.sender], flags, frame.seq)
                and frame.time_s - _CAPTURED_S < r.time_s <= frame.time_s + judge.MARGIN_S]
        at_sender = [r for r in told if r.time_s > frame.time_s - _DEPARTED_S]
        reasons = {r.reason for r in at_sender[-1:] or told}
        if len(reasons) != 1 or UNTOLD in reasons:
            continue  # several RSTs that look the same
        reason = reasons.pop()
        verdict = judge.RIGHT if frame.cause in CAUSES.get(reason, ()) else judge.WRONG
        claims.append(CauseClaim(frame.number, frame.sender, frame.cause, frame.cause_confirmed, reason, verdict))
    return claims
