# SPDX-License-Identifier: GPL-2.0-or-later
"""Is what the plugin shows on a damaged recording what the kernel said?

The kernel's word stays whatever a capture lacks. A state of an end that is shown as confirmed after a
frame is right if, by ../conformance/judge.py's measure of states and of what no capture can know,

  - the kernel was in it when the end sent its latest segment of those captured so far, or entered it since;
  - and no frame captured since then has taken the kernel out of it: all that came to the end, or left
    it, around the change was captured, so that no hole in the capture explains the change.

An end's moments are by the clock of its own host. Where that host captured too, its capture tells when a
segment left or arrived; else the wire's delay does, roughly.
"""

import bisect
import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))

import judge  # noqa: E402  (found only now)
from lab import DELAY_S  # noqa: E402
from wire import HOSTS  # noqa: E402

_ROUGHLY_S = 0.004   # how far the estimated moment of a far end may be off
_JUST_BEFORE_S = 1e-5


class Wrong(NamedTuple):
    """A confirmed state that is not true."""
    host: str
    shown: str
    index: int      # frame of the original on which it is shown
    latest: int     # the end's latest segment before, -1: none
    kernel: str     # the states that the kernel was in
    why: str

    def __str__(self):
        of = f"by its frame {self.latest + 1}" if self.latest >= 0 else "without a segment of its own"
        return (f"{self.host} {self.shown} confirmed on frame {self.index + 1}, {of}; "
                f"kernel {self.kernel}: {self.why}")


@dataclasses.dataclass
class _Change:
    """A change of state of a kernel."""
    time_s: float
    left: str
    entered: str
    causes: list     # indexes of the frames that may have made it; empty: none of these need have


class EndTruth:
    """What a kernel says of one end of one connection, for any variant of one capture of it."""

    def __init__(self, view, at_vantage, delay_s):
        """view: a judge.View of the undamaged capture. at_vantage: whether the end's host made it.
        delay_s: of the wire, each way."""
        self.host = view.host
        self._view = view
        self._frames = {frame.number - 1: frame for frame in view.frames}
        self._exact = at_vantage or bool(view.own)
        self._slack_s = view.gap_s + judge.MARGIN_S + (0 if self._exact else 2 * _ROUGHLY_S)
        self.moments_s = self._find_moments(at_vantage, delay_s)
        view.fin_sent = self._find_fin_sent()
        self._ordered_s = sorted(self.moments_s.values())
        self._changes = self._find_changes()
        self._told = {}
        self._verdicts = {}

    def is_senders(self, index):
        """Whether the end, or someone in its name, sent that frame."""
        return self._frames[index].sender == self.host

    def is_forged(self, index):
        """Whether no kernel sent it."""
        return self._frames[index].forged

    def _find_moments(self, at_vantage, delay_s):
        """When each frame left or came to the host; lost ones are left out."""
        if at_vantage:
            return {i: frame.time_s for i, frame in self._frames.items()}
        if not self._view.own:
            return self._estimate_moments(delay_s)
        there, moments = {}, {}
        for frame in self._view.own:
            there.setdefault(frame.identity, []).append(frame.time_s)
        for i, frame in self._frames.items():
            times_s = there.get(frame.identity, ())
            if frame.sender == self.host:
                fitting = [t for t in times_s if t <= frame.time_s][-1:]
            else:
                fitting = [t for t in times_s if t >= frame.time_s][:1]
            if fitting:
                moments[i] = fitting[0]
        return moments

    def _estimate_moments(self, delay_s):
        """The same from the wire's delay. A segment that others overtook left before them."""
        moments, numbers = {}, []  # of each segment sent: (first number, number after its last, moment)
        for i, frame in self._frames.items():
            moments[i] = frame.time_s + delay_s
            if frame.sender == self.host:
                overtook_s = [at_s for first, _, at_s in numbers if 0 <= (first - frame.next_seq) % 2**32 < 2**31]
                is_new = frame.length and not any(
                    (frame.seq - first) % 2**32 < (after - first) % 2**32 for first, after, _ in numbers)
                moments[i] = min([frame.time_s - delay_s, *(at_s - _JUST_BEFORE_S for at_s in overtook_s if is_new)])
                numbers.append((frame.seq, frame.next_seq, moments[i]))
        return moments

    def _find_fin_sent(self):
        """The numbers of the frames at which the host's FIN had left it. (A judge.View goes by the order
        of the capture, in which a FIN may have overtaken data.)"""
        moments_s = {flag: [self.moments_s[i] for i, frame in self._frames.items() if i in self.moments_s
                            and frame.sender == self.host and frame.has(flag)] for flag in (judge.FIN, judge.SYN)}
        sent = set()
        for i, at_s in self.moments_s.items():
            fins, syns = ([s for s in moments_s[flag] if s <= at_s] for flag in (judge.FIN, judge.SYN))
            if fins and max(fins) > max(syns, default=0.0):
                sent.add(self._frames[i].number)
        return sent

    def _find_changes(self):
        changes, before = [], "CLOSED"
        here = {frame.identity for frame in self._view.frames}
        unseen_s = [frame.time_s for frame in self._view.own if frame.identity not in here]
        for change in self._view.timeline.changes:
            causes = [i for i, time_s in self.moments_s.items()
                      if change.time_s - self._slack_s <= time_s <= change.time_s + (0 if self._exact else _ROUGHLY_S)]
            if any(change.time_s - self._slack_s <= time_s <= change.time_s for time_s in unseen_s):
                causes = []  # what its own host captured then never came here
            if change.state == "CLOSED" and before != "LAST_ACK" and not any(
                    self._frames[i].sender != self.host and self._frames[i].has(judge.RST) for i in causes):
                causes = []  # a timer, or its own abort, as of data that came after close()
            if change.state in ("FIN_WAIT_1", "LAST_ACK"):
                causes = []  # its program's close(), whose FIN may wait behind data
            changes.append(_Change(change.time_s, before, change.state, causes))
            before = change.state
        return changes

    def told(self, index):
        """The states that the kernel was in around a frame: one, where nothing else happened then."""
        if index not in self._told:
            at_s = self.moments_s.get(index, self._frames[index].time_s)
            end_s = at_s + self._slack_s - judge.MARGIN_S / 2
            following = bisect.bisect_right(self._ordered_s, at_s)
            alone = following == len(self._ordered_s) or self._ordered_s[following] > at_s + self._slack_s
            states = self._view.timeline.between(at_s - (0 if self._exact else _ROUGHLY_S), end_s)
            self._told[index] = states[-1:] if alone else states
        return self._told[index]

    def is_right(self, index, shown):
        """Whether a state, shown after that frame of the original, is the kernel's."""
        return self._view.timeline.find(self.told(index), shown) is not None

    def wrong(self, index, latest, since, shown):
        """Wrong, or None: a state shown as confirmed after a frame.

        latest: the end's latest segment captured so far, -1: none. since: the set of frames captured
        after it, and of all captured so far: functions of an index.
        """
        key = index, latest, shown
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(*key)
        verdict = self._verdicts[key]
        if isinstance(verdict, Wrong) or verdict is None:
            return verdict
        captured, captured_since = since
        for change in verdict:
            if change.causes and all(i in captured for i in change.causes) and any(
                    i in captured_since and self._frames[i].sender != self.host for i in change.causes):
                by = ", ".join(str(i + 1) for i in change.causes)
                return Wrong(self.host, shown, index, latest, f"{change.left}, then {change.entered}",
                             f"moved by frame {by}, which was captured")
        return None

    def _judge(self, index, latest, shown):
        """Wrong, None, or the changes out of that state which frames captured since may have made."""
        timeline = self._view.timeline
        if latest >= 0 and latest not in self.moments_s:
            return None  # no host tells when it left
        at_s = self.moments_s[latest] if latest >= 0 else 0.0
        end_s = self.moments_s.get(index, self._frames[index].time_s) + self._slack_s
        told = (self.told(latest) if latest >= 0 else []) + timeline.between(at_s + self._slack_s, end_s)
        if timeline.find(told, shown) is None:
            frame = self._frames[latest if latest >= 0 else index]
            if any(rule(self._view, frame, shown, told, True) for rule in judge.UNKNOWABLE.values()):
                return None
            return Wrong(self.host, shown, index, latest, ", ".join(dict.fromkeys(told)), "was not in it")
        if index not in self.moments_s or timeline.find(self.told(index), shown) is not None:
            return None
        changes = [c for c in self._changes if at_s + self._slack_s < c.time_s <= end_s
                   and timeline.is_same(shown, c.left)]
        return changes or None


def ends(capture, own, states, vantage, delay_s=DELAY_S):
    """The EndTruths of a capture: a list of (frame indexes of a connection, host to EndTruth).

    capture: connections as frames.Reader.read() gives them. own: the same of the hosts' own captures,
    host to connections, as far as there are any. states: a kernel.States. vantage: where it was captured.
    """
    found = []
    for endpoints, frames in capture.items():
        truths = {}
        for host, local, remote in zip(HOSTS, endpoints, reversed(endpoints)):
            timeline = judge.Timeline(states.changes, host, local, remote)
            view = judge.View(host, frames, timeline, states.largest_gap_s,
                              own.get(host, {}).get(endpoints, frames if host == vantage else []))
            truths[host] = EndTruth(view, host == vantage, delay_s)
        found.append(([frame.number - 1 for frame in frames], truths))
    return found
