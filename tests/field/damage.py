# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens to captures on their way to who reads them.

A variant of a capture is a list of Kept frames, in the new order. All chance comes from a seed.
"""

import random
from typing import NamedTuple

COPY_US = 90       # the longest that a copy of a frame comes after it
SWAP_US = 50_000   # neighbours further apart are not captured in the wrong order


class Kept(NamedTuple):
    """A frame of the original in a variant."""
    index: int     # in the original
    time_us: int
    cut: bool      # at the end of the fixed TCP header


def _all(frames):
    return [Kept(i, frame.time_us, False) for i, frame in enumerate(frames)]


# Each takes a variant, and what else it needs, and gives another.

def lose(kept, chance, share):
    """Without so large a share of its frames, each lost by itself."""
    return [each for each in kept if chance.random() >= share]


def lose_burst(kept, chance):
    """Without a number of frames in turn, half of them at most."""
    count = chance.randint(1, max(1, len(kept) // 2))
    first = chance.randint(0, max(0, len(kept) - count))
    return kept[:first] + kept[first + count:]


def cut(kept):
    """With the snap length at the end of the fixed TCP header."""
    return [each._replace(cut=True) for each in kept]


def double(kept, chance):
    """Each frame twice, microseconds later: perhaps after the one that follows."""
    copies = [each._replace(time_us=each.time_us + chance.randint(1, COPY_US)) for each in kept]
    return sorted(kept + copies, key=lambda each: each.time_us)


def _swap_at(kept, i, times):
    """Frames i and i + 1 swapped; times: the clock runs on, else each keeps its own."""
    one, two = kept[i:i + 2]
    if times:
        one, two = one._replace(time_us=two.time_us), two._replace(time_us=one.time_us)
    return kept[:i] + [two, one] + kept[i + 2:]


def _can_swap(kept, i):
    return abs(kept[i + 1].time_us - kept[i].time_us) <= SWAP_US and kept[i].index != kept[i + 1].index


def swap_some(kept, chance):
    """With a third of neighbours swapped."""
    i = 0
    while i + 1 < len(kept):
        if _can_swap(kept, i) and chance.random() < 1 / 3:
            kept = _swap_at(kept, i, chance.random() < 0.5)
            i += 1
        i += 1
    return kept


def _one_direction(kept, frames, sender):
    return [each for each in kept if frames[each.index].sender == sender]


class Original(NamedTuple):
    """What is to be known of a frame."""
    time_us: int
    sender: str


def _begun_later(kept, start):
    return kept[start:]


def variants(frames, seed, rounds):
    """All variants of a capture: (kind, list of Kept). frames: of Original. rounds: how many of each
    kind that chance decides."""
    whole = _all(frames)
    count = len(whole)
    senders = sorted({frame.sender for frame in frames})
    yield "undamaged", whole
    yield "snap length", cut(whole)
    for start in range(1, count):
        yield "begun later", _begun_later(whole, start)
    for i in range(count - 1):
        if _can_swap(whole, i):
            for times in (True, False):
                yield "neighbours swapped", _swap_at(whole, i, times)
    if len(senders) > 1:
        for sender in senders:
            yield "one direction", _one_direction(whole, frames, sender)

    by_chance = {
        "10 % missing": lambda c: lose(whole, c, 0.1),
        "30 % missing": lambda c: lose(whole, c, 0.3),
        "burst missing": lambda c: lose_burst(whole, c),
        "doubled": lambda c: double(whole, c),
        "neighbours swapped": lambda c: swap_some(whole, c),
        "snap length, 10 % missing": lambda c: cut(lose(whole, c, 0.1)),
        "snap length, 30 % missing": lambda c: cut(lose(whole, c, 0.3)),
        "snap length, burst missing": lambda c: cut(lose_burst(whole, c)),
        "begun later, 30 % missing": lambda c: lose(_begun_later(whole, c.randrange(count)), c, 0.3),
        "begun later, snap length": lambda c: cut(_begun_later(whole, c.randrange(count))),
        "doubled, 30 % missing": lambda c: lose(double(whole, c), c, 0.3),
        "swapped, 30 % missing": lambda c: swap_some(lose(whole, c, 0.3), c),
        "swapped, doubled": lambda c: swap_some(double(whole, c), c),
        "one direction, 30 % missing": lambda c: lose(
            _one_direction(whole, frames, c.choice(senders)), c, 0.3),
        "all but one direction": lambda c: swap_some(cut(lose(double(
            _begun_later(whole, c.randrange(max(1, count // 2))), c), c, 0.2)), c),
    }
    for kind, make in by_chance.items():
        for number in range(rounds):
            kept = make(random.Random(f"{seed} {kind} {number}"))
            if kept:
                yield kind, kept
