# SPDX-License-Identifier: BSD-2-Clause
"""The highest rate that something sustains, by search, within a time."""
import time

GROWTH = 1.5
STEPS = 3         # of halving in: the rate found is within a twentieth of the highest
LOWEST_RATE = 50  # who does not sustain it is asked for no less


class Clock:
    """What is left of a time."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()


def highest(sustained, start, clock, most=float("inf")):
    """The highest rate for which sustained() holds: grown while it does, no further than most, or shrunk
    until it does, then halved in as long as there is time. 0 where none was, None where the time was over
    before one was."""
    low, high, rate = None, None, start
    while (not low or not high) and rate <= most and clock.left() > 0:
        if sustained(rate):
            low, rate = rate, int(rate * GROWTH)
        else:
            high, low, rate = rate, low or 0, int(rate / GROWTH)
            if rate < LOWEST_RATE:
                return 0
    if not low:
        return None
    for _ in range(STEPS if high else 0):
        middle = (low + high) // 2
        if clock.left() > 0:
            low, high = (middle, high) if sustained(middle) else (low, middle)
    return low
