"""The learning rate at chosen places, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.optim import schedules
from charrnn.optim.schedules import Position


def at(iteration=0, epoch=0, progress=0.0):
    return Position(iteration, epoch, progress)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (9, 1), (10, 0.97), (11, 0.97 * 0.97), (12, 0.97 * 0.97 * 0.97)])
def test_the_steps_of_char_rnn(epoch, factor):
    rate = schedules.build("step", 2e-3, decay=0.97, decay_after=10, decay_every=1)
    assert rate(at(epoch=epoch)) == pytest.approx(2e-3 * factor, rel=1e-14)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (4, 1), (5, 0.5), (9, 0.5), (10, 0.25), (14, 0.25), (15, 0.125)])
def test_the_steps_of_torch_rnn(epoch, factor):
    rate = schedules.build("step", 2e-3, decay=0.5, decay_after=5, decay_every=5)
    assert rate(at(epoch=epoch)) == 2e-3 * factor


@pytest.mark.parametrize(("progress", "rate"), [(0, 0.4), (0.25, 0.325), (0.5, 0.25), (1, 0.1)])
def test_linear_goes_straight_to_the_smallest_rate(progress, rate):
    got = schedules.build("linear", 0.4, min_learning_rate=0.1)(at(progress=progress))
    assert got == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize(
    ("progress", "rate"), [(0, 0.4), (1 / 3, 0.325), (0.5, 0.25), (2 / 3, 0.175), (1, 0.1)]
)  # cos of 0, 60, 90, 120 and 180 degrees: 1, 1/2, 0, -1/2, -1
def test_cosine_goes_along_half_a_wave_to_the_smallest_rate(progress, rate):
    got = schedules.build("cosine", 0.4, min_learning_rate=0.1)(at(progress=progress))
    assert got == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_without_a_smallest_rate_the_end_is_nothing(name):
    assert schedules.build(name, 0.4)(at(progress=1.0)) == pytest.approx(0, abs=1e-16)


@given(st.integers(0, 10**6), st.integers(0, 100), st.floats(0, 1))
def test_constant_is_constant(iteration, epoch, progress):
    assert schedules.build("constant", 0.3)(at(iteration, epoch, progress)) == 0.3


@pytest.mark.parametrize(("iteration", "rate"), [(0, 0.1), (1, 0.2), (2, 0.3), (3, 0.4), (4, 0.4), (99, 0.4)])
def test_a_warm_up_rises_in_equal_steps_to_the_whole_rate(iteration, rate):
    assert schedules.build("constant", 0.4, warmup=4)(at(iteration)) == pytest.approx(rate, rel=1e-14)


def test_a_warm_up_lies_on_top_of_the_schedule():
    rate = schedules.build("linear", 0.4, warmup=4)
    assert rate(at(1, progress=0.25)) == pytest.approx(0.4 * 0.75 * 2 / 4, rel=1e-14)


@given(st.sampled_from(schedules.NAMES), st.integers(0, 50), st.integers(0, 60), st.floats(0, 1), st.floats(0, 1))
def test_no_schedule_leaves_the_range_of_its_ends(name, warmup, iteration, progress, share):
    rate = schedules.build(name, 0.4, warmup=warmup, min_learning_rate=0.4 * share)
    low = 0 if warmup or name == "step" else 0.4 * share * (1 - 1e-12)
    assert low <= rate(at(iteration, iteration // 5, progress)) <= 0.4 * (1 + 1e-12)
