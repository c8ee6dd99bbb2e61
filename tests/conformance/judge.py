# SPDX-License-Identifier: GPL-2.0-or-later
"""Is what the plugin shows what the kernel said?

Every state shown is a Claim about one end of one connection after one frame, held against what its
kernel said, in one of five ways:

    near       after each frame that a host itself captured: its own state, exactly, once the frame's
               effects are over. In a burst, frames closer together than polls can tell apart, the
               order must be the kernel's and the last frame's state exactly so.
    departure  a confirmed state on a segment from afar: what the kernel was in when it sent that
               segment, by the capture of its own host
    order      a confirmed state of a far end: the kernel was in it, and in this order
    assumed    an assumed state of a far end: the same. By contract that is "as if delivered", so
               that what differs is counted, no more.
    final      the last state shown of each end: that of its kernel when all was over

A claim is right, or wrong, or its verdict is the name of something that no capture can know; those
are in UNKNOWABLE, each with the rule that detects it.
"""

import bisect
import dataclasses
import sys
from typing import NamedTuple

from frames import ACK, FIN, RST, SYN
from wire import HOSTS

RIGHT, WRONG = "right", "wrong"

# On top of the largest gap between two polls: frames this much further apart are no burst, and
# half of it after a frame its effects are over and those of the next have not begun.
MARGIN_S = 0.002

AT_THE_END_S = sys.float_info.max

# RFC 9293 figure 5 without its way back to LISTEN: what may follow each state. All may be
# followed by CLOSED.
_NEXT = {
    "CLOSED": ("SYN_SENT", "SYN_RCVD"), "LISTEN": ("SYN_RCVD",),
    "SYN_SENT": ("SYN_RCVD", "ESTABLISHED"), "SYN_RCVD": ("ESTABLISHED", "FIN_WAIT_1"),
    "ESTABLISHED": ("FIN_WAIT_1", "CLOSE_WAIT"), "FIN_WAIT_1": ("FIN_WAIT_2", "CLOSING"),
    "FIN_WAIT_2": ("TIME_WAIT",), "CLOSING": ("TIME_WAIT",), "CLOSE_WAIT": ("LAST_ACK",),
    "LAST_ACK": (), "TIME_WAIT": (),
}

_WITH_FIN_OF_PEER = ("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")
_WITHOUT_FIN_OF_PEER = ("FIN_WAIT_1", "FIN_WAIT_2")


class Claim(NamedTuple):
    """What the plugin shows of one end after one frame, and the kernel's state."""
    frame: int
    host: str
    shown: str
    confirmed: bool
    kernel: str      # the state or states that it was in
    verdict: str     # RIGHT, WRONG or a name from UNKNOWABLE

    def __str__(self):
        sure = "confirmed" if self.confirmed else "assumed"
        return f"frame {self.frame}: {self.host} {self.shown} ({sure}), kernel {self.kernel}"


class Timeline:
    """What a kernel says of one end of one connection."""

    def __init__(self, changes, host, local, remote):
        own = [c for c in changes if c.host == host and c.local == local]
        self.changes = [c for c in own if c.remote == remote]
        self._times_s = [c.time_s for c in self.changes]
        self._listens = any(c.state == "LISTEN" for c in own)

    def loses_fin_of_peer(self, acknowledged_s):
        """Whether it tells a state from before the peer's FIN after one with it, or goes from FIN_WAIT_1 to FIN_WAIT_2
        though it acknowledges that FIN between: not what RFC 9293 calls so. acknowledged_s: all times when it did."""
        return any(before.state in _WITH_FIN_OF_PEER and after.state in _WITHOUT_FIN_OF_PEER
                   or after.state == "FIN_WAIT_2" and any(before.time_s < time_s < after.time_s
                                                          for time_s in acknowledged_s)
                   for before, after in zip(self.changes, self.changes[1:]))

    def between(self, start_s, end_s):
        """The state at start_s and all that followed until end_s, in order."""
        first = bisect.bisect_right(self._times_s, start_s) - 1
        last = bisect.bisect_right(self._times_s, end_s)
        states = [c.state for c in self.changes[max(first, 0):last]]
        return states if first >= 0 else ["CLOSED"] + states

    def is_same(self, shown, told):
        """Whether a shown state is what the kernel told: without an entry, LISTEN is CLOSED."""
        return shown == told or (shown == "LISTEN" and told == "CLOSED" and self._listens)

    def find(self, states, shown):
        """Where, in states of the kernel, a shown state is or was missed by the polls; or None."""
        for i, told in enumerate(states):
            if self.is_same(shown, told):
                return i
        for i, (before, after) in enumerate(zip(states, states[1:])):
            if _passed(before, shown, after):
                return i
        return None


def _reachable(state):
    """The states that may follow a state, at any distance, CLOSED apart."""
    found = set()
    for following in _NEXT[state]:
        found |= {following} | _reachable(following)
    return found


def _passed(before, shown, after):
    """Whether a kernel polled in one state and then in another may have been in a third between."""
    return shown in _reachable(before) and (after == "CLOSED" or after in _reachable(shown))


@dataclasses.dataclass
class View:
    """One end of one connection, seen in one capture."""
    host: str
    frames: list        # of the capture
    timeline: Timeline
    gap_s: float        # largest between two polls
    own: list           # frames of the capture at that host, [] if there is none

    def __post_init__(self):
        self.last_own = {}  # number of each frame to the host's latest segment then, or None
        self.next_own = {}  # to the host's first after it, or None
        latest = None
        for frame in self.frames:
            if frame.sender == self.host:
                latest = frame
            self.last_own[frame.number] = latest
        latest = None
        for frame in reversed(self.frames):
            self.next_own[frame.number] = latest
            if frame.sender == self.host:
                latest = frame
        self.following = {frame.number: after
                          for frame, after in zip(self.frames, [*self.frames[1:], None])}
        self.fin_sent = self._frames_after_fin()
        self.loses_fin_of_peer = self.timeline.loses_fin_of_peer(self._peer_fin_acknowledged_s())
        self.silent_ends_s = [
            self._silent_end_s(c.time_s)
            for before, c in zip([None, *self.timeline.changes], self.timeline.changes)
            if c.state == "CLOSED" and self._is_silent(before.time_s if before else 0.0, c.time_s)]

    @property
    def is_one_sided(self):
        """Whether nothing that the one end, or the other, sent was captured."""
        return len({frame.sender for frame in self.frames}) == 1

    def _frames_after_fin(self):
        """The numbers of those frames at which the host's FIN was captured already."""
        numbers, sent = set(), False
        for frame in self.frames:
            if frame.flags & SYN:
                sent = False
            elif frame.flags & FIN and frame.sender == self.host:
                sent = True
            if sent:
                numbers.add(frame.number)
        return numbers

    def _peer_fin_acknowledged_s(self):
        """When, at the latest, its kernel must have told that it has the peer's FIN: by each acknowledgement."""
        fins = {f.next_seq for f in self.own if f.sender != self.host and f.has(FIN) and not f.forged}
        return [f.time_s + self.gap_s + MARGIN_S for f in self.own
                if f.sender == self.host and f.has(ACK) and f.ack in fins]

    def _is_silent(self, alive_s, time_s):
        """Whether the host neither received anything nor sent a RST when the kernel ended it, after
        it was last seen alive, by the polls or by what it sent, and no later than then."""
        spoke_s = max((f.time_s for f in self.own if f.sender == self.host and not f.has(RST)
                       and not f.forged and f.time_s <= time_s), default=0.0)
        start_s = max(time_s - self.gap_s - MARGIN_S, alive_s, spoke_s)
        return bool(self.own) and not any(start_s <= f.time_s <= time_s for f in self.own
                                          if f.sender != self.host or f.has(RST))

    def _silent_end_s(self, time_s):
        """(from, to): while the capture cannot know of an end without a segment. A RST without ACK
        does not show it: SYN_SENT sends the same as no socket."""
        since = {f.identity for f in self.own if f.sender == self.host and not f.forged
                 and f.time_s > time_s and not (f.has(RST) and not f.has(ACK))}
        told_s = [f.time_s for f in self.frames if f.time_s > time_s and f.identity in since]
        return time_s - self.gap_s - MARGIN_S, min(told_s, default=float("inf"))

    def claim(self, frame, told, confirmed=None):
        """The Claim on the host after a frame that its kernel was in one of the states told."""
        shown = frame.states[self.host]
        confirmed = frame.confirmed[self.host] if confirmed is None else confirmed
        verdict = RIGHT
        if self.timeline.find(told, shown) is None:
            verdict = next((name for name, rule in UNKNOWABLE.items()
                            if rule(self, frame, shown, told, confirmed)), WRONG)
        return Claim(frame.number, self.host, shown, confirmed, ", ".join(told), verdict)


# What no capture can know. Each rule is given a View, the Frame, the state shown, those that the
# kernel was in at that time, and whether the claim is confirmed.

_UNSENT = {"FIN_WAIT_1": ("ESTABLISHED", "SYN_RCVD"), "LAST_ACK": ("CLOSE_WAIT",),
           "CLOSING": ("CLOSE_WAIT", "ESTABLISHED")}


def _is_unsent(view, frame, shown, told, confirmed):
    """The application has closed, and the FIN waits, behind data or for a timer."""
    if told[-2:] == ["FIN_WAIT_1", "CLOSED"]:
        told = [*told, "CLOSING"]  # with the peer's FIN, for a moment that the polls missed
    return frame.number not in view.fin_sent and any(
        shown in _UNSENT.get(state, ())
        # In CLOSING the peer's FIN came after the CLOSE: CLOSE_WAIT was never true.
        and not (confirmed and state == "CLOSING") for state in told)


def _is_closed_early(view, frame, shown, told, confirmed):
    """The application closed before the peer's FIN came, and the FIN left only after."""
    if confirmed or {"LAST_ACK": "CLOSING", "CLOSED": "TIME_WAIT"}.get(shown) not in told:
        return False
    closed_s = next((c.time_s for c in view.timeline.changes if c.state == "FIN_WAIT_1"), None)
    fin = next((f for f in view.own if f.has(FIN) and f.sender == view.host), None)
    fin_of_peer = next((f for f in view.own if f.has(FIN) and f.sender != view.host), None)
    return (closed_s is not None and fin is not None and fin_of_peer is not None
            and closed_s <= fin_of_peer.time_s + view.gap_s <= fin.time_s + view.gap_s)


def _is_dropped(view, frame, shown, told, confirmed):
    """The peer's FIN or RST counts as received in order, but the kernel had dropped data, for lack of
    room, and asks for them again."""
    by_rst = shown == "CLOSED" and frame.has(RST) and frame.sender != view.host
    if confirmed or not (by_rst or shown in _WITH_FIN_OF_PEER) or told[-1] in _WITH_FIN_OF_PEER:
        return False
    asking = view.last_own[frame.number], view.next_own[frame.number]
    return any(f.sender != view.host and _covers(f, own.ack) for own in asking if own
               for f in view.own if f.time_s <= min(frame.time_s, own.time_s))


def _covers(frame, number):
    """Whether a segment has that sequence number."""
    return (number - frame.seq) % 2**32 < frame.next_seq - frame.seq


def _is_silent_end(view, frame, shown, told, confirmed):
    """The socket ended without a segment: by a timer, by close() before it was connected, by abort
    after its FIN, by loss of power."""
    del shown, confirmed
    return "CLOSED" in told and any(
        start_s <= frame.time_s < end_s for start_s, end_s in view.silent_ends_s)


def _is_orphan_reset(view, frame, shown, told, confirmed):
    """In FIN_WAIT_2 without an application, Linux takes any RST within the window."""
    del view
    return (not confirmed and shown == "FIN_WAIT_2" and told[-1] == "CLOSED" and frame.has(RST))


def _is_protected(view, frame, shown, told, confirmed):
    """A RST comes in TIME_WAIT, and the kernel does not take it: the protection of RFC 1337."""
    if confirmed or shown != "CLOSED" or told[-1] != "TIME_WAIT":
        return False
    of_peer = [f for f in view.frames if f.number <= frame.number and f.sender != view.host]
    return bool(of_peer) and of_peer[-1].has(RST)


def _is_cookie(view, frame, shown, told, confirmed):
    """A SYN,ACK is sent, and the kernel keeps no state: a SYN cookie."""
    del confirmed
    answer = view.last_own[frame.number] or view.next_own[frame.number]
    return (shown == "SYN_RCVD" and told == ["CLOSED"] and answer is not None
            and answer.has(SYN) and answer.has(ACK)
            and not any(c.state == "SYN_RCVD" for c in view.timeline.changes))


def _is_not_taken(view, frame, shown, told, confirmed):
    """A SYN that its receiver drops or refuses, because no socket listens there or the backlog is full."""
    if confirmed or shown != "SYN_RCVD" or told[-1] not in ("CLOSED", "TIME_WAIT"):
        return False
    following = view.following[frame.number]
    return not (following and following.sender == view.host
                and following.has(SYN) and following.has(ACK))


def _is_ack_not_taken(view, frame, shown, told, confirmed):
    """The handshake's last ACK that its receiver drops: for a full backlog, or to wait for data."""
    last = view.last_own[frame.number]
    return (not confirmed and shown == "ESTABLISHED" and told[-1] == "SYN_RCVD"
            and not frame.forged and last is not None and last.has(SYN) and last.has(ACK))


def _is_forged(view, frame, shown, told, confirmed):
    """A segment forged in its name, and it has sent nothing since but RSTs, which answer such segments."""
    del shown, told, confirmed
    for own in reversed(view.frames):
        if own.number <= frame.number and own.sender == view.host and (
                own.forged or not own.has(RST)):
            return own.forged
    return False


def _is_against_figure(view, frame, shown, told, confirmed):
    """The stack tells a state from before the peer's FIN, which it has received."""
    del frame, confirmed
    return (view.loses_fin_of_peer and told[-1] in _WITHOUT_FIN_OF_PEER
            and (shown in _WITH_FIN_OF_PEER or shown == "CLOSED"))


def _is_before_capture(view, frame, shown, told, confirmed):
    """The capture began when an end had closed already."""
    del shown
    first = view.frames[0]
    return not confirmed and not first.has(SYN) and not any(
        f.has(SYN) for f in view.frames if f.number <= frame.number) and (
            told[-1] != "ESTABLISHED")


def _is_one_sided(view, frame, shown, told, confirmed):
    """Nothing that the one end, or the other, sent was captured."""
    del frame, shown, told
    return not confirmed and view.is_one_sided


UNKNOWABLE = {
    "close not yet sent": _is_unsent,
    "closed before the peer's FIN": _is_closed_early,
    "received, and dropped": _is_dropped,
    "ended without a segment": _is_silent_end,
    "RST to an orphan in FIN_WAIT_2": _is_orphan_reset,
    "RST not taken in TIME_WAIT": _is_protected,
    "SYN cookie": _is_cookie,
    "SYN not taken": _is_not_taken,
    "handshake's ACK not taken": _is_ack_not_taken,
    "forged in its name": _is_forged,
    "told against RFC 9293": _is_against_figure,
    "capture began in a close": _is_before_capture,
    "one direction captured": _is_one_sided,
}
# Of final claims only, see judge_final.
ELSEWHERE = "ended by what was not captured here"
CROSSED = "crossed by what was captured before"


def _split_bursts(frames, apart_s):
    """The frames in lists, each of frames that are no more than so many seconds apart."""
    bursts = []
    for frame in frames:
        if bursts and frame.time_s - bursts[-1][-1].time_s <= apart_s:
            bursts[-1].append(frame)
        else:
            bursts.append([frame])
    return bursts


def judge_near(view):
    """The Claims about the host that captured."""
    claims = []
    sampled_s = 0.0
    for burst in _split_bursts(view.frames, view.gap_s + MARGIN_S):
        end_s = burst[-1].time_s + view.gap_s + MARGIN_S / 2
        states = view.timeline.between(sampled_s, end_s)
        sampled_s = end_s
        for frame in burst:
            if frame is burst[-1]:
                states = states[-1:]
            claims.append(view.claim(frame, states))
            states = states[view.timeline.find(states, frame.states[view.host]) or 0:]
    return claims


def judge_departures(view):
    """The Claims about a far host on its own segments, where they left before they were captured.
    Not on those that came late: what is shown is of another that left after them."""
    left = {}
    for frame in view.own:
        left.setdefault(frame.identity, []).append(frame.time_s)
    claims = []
    latest_s = 0.0
    for frame in view.frames:
        times_s = [t for t in left.get(frame.identity, ()) if t <= frame.time_s]
        if frame.sender != view.host or frame.forged or not times_s or times_s[-1] < latest_s:
            continue
        latest_s = times_s[-1]
        if frame.confirmed[view.host]:
            told = view.timeline.between(latest_s, latest_s + view.gap_s + MARGIN_S / 2)
            claims.append(view.claim(frame, told))
    return claims


def judge_order(view):
    """(confirmed, assumed) Claims about a far host, by order."""
    claims = [], []
    passed = 0  # states of the kernel that a confirmed state has left behind
    for frame in view.frames:
        confirmed = frame.confirmed[view.host]
        end_s = frame.time_s + view.gap_s + MARGIN_S / 2 if confirmed else float("inf")
        states = view.timeline.between(0.0, end_s)[passed:]
        claims[not confirmed].append(view.claim(frame, states))
        if confirmed:
            passed += view.timeline.find(states, frame.states[view.host]) or 0
    return claims


def judge_final(view):
    """The Claim about the last state shown of a host."""
    last = view.frames[-1]._replace(time_s=AT_THE_END_S)
    told = view.timeline.between(0.0, float("inf"))[-1:]
    claim = view.claim(last, told)
    if claim.verdict == WRONG and _is_elsewhere(view):
        claim = claim._replace(verdict=ELSEWHERE)
    if claim.verdict == WRONG and _is_crossed(view):
        claim = claim._replace(verdict=CROSSED)
    return claim


def _is_crossed(view):
    """Whether the host's latest segment left before something came to it that was captured ahead of that segment: what
    is shown is the state in which it left."""
    latest = view.last_own[view.frames[-1].number]
    if not latest:
        return False
    ahead = {f.identity for f in view.frames if f.number < latest.number and f.sender != view.host}
    departed_s = max((f.time_s for f in view.own if f.identity == latest.identity and f.time_s <= latest.time_s),
                     default=latest.time_s)
    return any(f.identity in ahead and f.time_s > departed_s for f in view.own)


def _is_elsewhere(view):
    """Whether something was captured only here or only at the host, lost on the wire or put on it:
    what the host has not acknowledged, or since the latest segment of the host in this capture; an
    acknowledgement of more than any that came to the host; or a SYN or FIN of the host's, so that its
    order after or before the peer's cannot be told."""
    latest = view.last_own[view.frames[-1].number]
    since_s = min((f.time_s for f in view.frames if latest and f.identity == latest.identity),
                  default=0.0)  # when it was first captured: copies come late
    departed_s = max((f.time_s for f in view.own if latest and f.identity == latest.identity
                      and f.time_s <= since_s), default=0.0)
    here = {f.identity for f in view.frames}
    there = {f.identity for f in view.own}
    received = {f.ack for f in view.own if f.sender != view.host and f.has(ACK) and not f.has(RST)}
    return bool(view.own) and (
        any(f.identity not in there for f in view.frames
            if f.time_s > since_s or (f.sender != view.host and latest is not None
                                      and 0 < (f.next_seq - latest.ack) % 2**32 < 2**31))
        or any(f.has(ACK) and not f.has(RST) and f.sender != view.host and f.identity not in there
               and all(0 < (f.ack - ack) % 2**32 < 2**31 for ack in received)
               for f in view.frames)
        or any(f.identity not in here for f in view.own
               if f.time_s > departed_s or (f.sender == view.host and (f.has(FIN) or f.has(SYN) and not f.has(ACK)))))
