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
from figure5 import ARCS, leads_along
from frames import FIN

class Moment(NamedTuple):
    """What the plugin shows of when, or why, and what the kernel did."""
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
    if view.is_one_sided:
        return "one direction captured"
    for verdict in verdicts[begun.number]:
        if verdict != judge.RIGHT:
            return verdict  # the state left was not true, or that entered not yet
    if begun.sender == view.host and begun.has(FIN) and entered_s < begun.time_s:
        return "close not yet sent"
    if any(start_s <= entered_s < end_s for start_s, end_s in view.silent_ends_s):
        return "ended without a segment"
    return judge.WRONG


def _why_other_arc(view, before):
    """The same on a transition that is not the kernel's. before: the verdict on the state left."""
    if view.is_one_sided:
        return "one direction captured"
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
            fits = leads_along(step.event, step.left, step.entered)
            verdict = judge.RIGHT if fits else _why_other_arc(view, before)
            moments.append(Moment(frame.number, view.host, f"{step.left} to {step.entered}, {step.event}",
                                  " or ".join(ARCS.get((step.left, step.entered), ("no such arc",))), verdict))
    return moments
