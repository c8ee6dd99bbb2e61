# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the plugin tell when and why a host entered its state, as its kernel did?

Computed again from the kernel's own transitions, for the host that captured, on each frame on which
the state itself is right:

    since   the kernel entered that state when that frame was captured, as near as the polls tell
    event   the transition is one that the kernel made then, and the event is the one that leads along
            that arc of RFC 9293 figure 5

From since and time stamps alone tests/regress/run.py computes duration and dwell.
"""

from typing import NamedTuple

import judge
from frames import FIN

# RFC 9293 figure 5 and section 3.10.7: the arcs, and what leads along each.
_ARCS = {
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
_RESETS = ("rcv RST", "snd RST")  # along any arc to CLOSED, or from SYN_RCVD back to LISTEN

class Moment(NamedTuple):
    """The plugin's word on when, or why, and the kernel's."""
    frame: int
    host: str
    told: str        # what the plugin tells
    kernel: str
    verdict: str     # judge.RIGHT, judge.WRONG or the name of what no capture can know

    def __str__(self):
        return f"frame {self.frame}: {self.host} {self.told}, kernel {self.kernel}"


def _entered_s(timeline, state, until_s):
    """When the kernel last entered a state, no later than that, or None."""
    return next((c.time_s for c in reversed(timeline.changes)
                 if c.time_s <= until_s and c.state == state), None)


def judge_since(view, claims):
    """Moments: since of the host that captured, where claims found its state right."""
    moments = []
    by_number = {frame.number: frame for frame in view.frames}
    verdicts = _verdicts(claims)
    slack_s = view.gap_s + judge.MARGIN_S
    for claim in claims:
        frame = by_number[claim.frame]
        since = frame.since[view.host]
        entered_s = _entered_s(view.timeline, claim.shown, frame.time_s + slack_s)
        if claim.verdict != judge.RIGHT or not since or entered_s is None:
            continue  # no state, or older than the capture, or between two polls
        late_s = by_number[since].time_s - entered_s
        verdict = judge.RIGHT
        if abs(late_s) > slack_s:
            verdict = _why_unknowable(view, by_number[since], entered_s, verdicts)
        moments.append(Moment(frame.number, view.host, f"{claim.shown} since frame {since}",
                              f"{-late_s * 1e3:+.1f} ms", verdict))
    return moments


def _verdicts(claims):
    """Number of each frame to the verdicts on the state shown before it and after it."""
    before = [judge.RIGHT, *(claim.verdict for claim in claims)]
    return {claim.frame: (earlier, claim.verdict) for earlier, claim in zip(before, claims)}


def _why_unknowable(view, begun, entered_s, verdicts):
    """The verdict on a since that is not the kernel's: judge.WRONG, or what no capture can know.
    begun: the Frame that is told."""
    if len({frame.sender for frame in view.frames}) == 1:
        return "one direction captured"
    for verdict in verdicts[begun.number]:
        if verdict != judge.RIGHT:
            return verdict  # the state left was not true, or that entered not yet
    if begun.sender == view.host and begun.has(FIN) and entered_s < begun.time_s:
        return "close not yet sent"
    if any(start_s <= entered_s < end_s for start_s, end_s in view.unsaid_deaths_s):
        return "ended without a segment"
    return judge.WRONG


def _why_other_arc(view, frame, step, before):
    """The same on a transition that is not the kernel's. before: the verdict on the state left."""
    if len({frame.sender for frame in view.frames}) == 1:
        return "one direction captured"
    if step.event == "snd SYN" and any(start_s <= frame.time_s for start_s, _ in view.unsaid_deaths_s):
        return "ended without a segment"
    return judge.WRONG if before == judge.RIGHT else before


def judge_events(view, claims):
    """Moments: the transitions of the host that captured, where claims found its state right."""
    verdicts = _verdicts(claims)
    moments = []
    for frame in view.frames:
        before, after = verdicts[frame.number]
        if after != judge.RIGHT:
            continue
        for step in frame.steps[view.host]:
            arc = (step.left, step.entered)
            by_reset = step.event in _RESETS and step.entered in ("CLOSED", "LISTEN")
            fits = by_reset or step.event in _ARCS.get(arc, ())
            verdict = judge.RIGHT if fits else _why_other_arc(view, frame, step, before)
            moments.append(Moment(frame.number, view.host, f"{step.left} to {step.entered}, {step.event}",
                                  " or ".join(_ARCS.get(arc, ("no such arc",))), verdict))
    return moments
