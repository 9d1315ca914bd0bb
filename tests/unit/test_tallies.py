"""Tallies: what is counted is what happened."""

import pytest

from safelight.tallies import Calls, Durations


def test_a_duration_is_counted_under_the_first_bound_that_it_keeps() -> None:
    durations = Durations((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 1.001, 60.0):
        durations.add(seconds)
    assert durations.counts == [2, 2, 2]
    assert durations.sum == pytest.approx(62.651)


def test_a_call_that_fails_is_counted_like_others() -> None:
    calls = Calls()
    with calls.timed("put"):
        pass
    with pytest.raises(ValueError, match="broken"), calls.timed("put"):
        raise ValueError("broken")
    assert sum(calls.times["put"].counts) == 2
