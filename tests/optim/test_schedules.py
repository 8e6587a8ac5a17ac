"""The learning rate at chosen places, worked out by hand, by PyTorch, and by the formulas in the docstrings."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.resolve import Setting, resolve
from charrnn.optim import SCHEDULES, schedules
from charrnn.optim.options import OptimConfig
from charrnn.optim.schedules import Position

STORED = np.load(Path(__file__).parents[1] / "fixtures" / "optimizer_updates.npz")


def section(schedule, learning_rate=0.4, **others):
    """The section `optim` as someone gets it who chooses a schedule."""
    settings = {"schedule": schedule, "learning_rate": learning_rate, **others}
    return resolve([Setting(f"optim.{key}", value, "test") for key, value in settings.items()])[0].optim


def build(schedule, learning_rate=0.4, **others):
    return schedules.build(section(schedule, learning_rate, **others))


def at(iteration=0, epoch=0, progress=0.0, reductions=0):
    return Position(iteration, epoch, progress, reductions)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (9, 1), (10, 0.97), (11, 0.97 * 0.97), (12, 0.97 * 0.97 * 0.97)])
def test_the_steps_of_char_rnn(epoch, factor):
    rate = build("step", 2e-3, decay=0.97, decay_after=10, decay_every=1)
    assert rate(at(epoch=epoch)) == pytest.approx(2e-3 * factor, rel=1e-14)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1), (4, 1), (5, 0.5), (9, 0.5), (10, 0.25), (14, 0.25), (15, 0.125)])
def test_the_steps_of_torch_rnn(epoch, factor):
    rate = build("step", 2e-3, decay=0.5, decay_after=5, decay_every=5)
    assert rate(at(epoch=epoch)) == 2e-3 * factor


@pytest.mark.parametrize(("progress", "rate"), [(0, 0.4), (0.25, 0.325), (0.5, 0.25), (1, 0.1)])
def test_linear_goes_straight_to_the_smallest_rate(progress, rate):
    got = build("linear", min_learning_rate=0.1)(at(progress=progress))
    assert got == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize(
    ("progress", "rate"), [(0, 0.4), (1 / 3, 0.325), (0.5, 0.25), (2 / 3, 0.175), (1, 0.1)]
)  # cos of 0, 60, 90, 120 and 180 degrees: 1, 1/2, 0, -1/2, -1
def test_cosine_goes_along_half_a_wave_to_the_smallest_rate(progress, rate):
    got = build("cosine", min_learning_rate=0.1)(at(progress=progress))
    assert got == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_without_a_smallest_rate_the_end_is_nothing(name):
    assert build(name)(at(progress=1.0)) == pytest.approx(0, abs=1e-16)


@pytest.mark.parametrize(
    ("progress", "rate"),
    [(0, 0.1), (0.1, 0.7), (0.15, 1.3), (0.2, 1.9), (0.3, 2.5), (0.65, 1.3), (1, 0.1)],
)  # a 25th of 2.5 is 0.1; a third of half a wave is a quarter of the way
def test_one_cycle_rises_and_falls_each_along_half_a_wave(progress, rate):
    assert build("one_cycle", 2.5, min_learning_rate=0.1)(at(progress=progress)) == pytest.approx(rate, rel=1e-13)


def test_one_cycle_is_that_of_pytorch():
    """Whose rise ends 0.3 * steps - 1 steps after the first, and the fall with the last step."""
    expected = STORED["one_cycle:rates"]
    rate = build("one_cycle", float(STORED["one_cycle:learning_rate"]))
    last = len(expected) - 1
    peak = 0.3 * len(expected) - 1
    places = [0.3 * k / peak if k <= peak else 0.3 + 0.7 * (k - peak) / (last - peak) for k in range(last + 1)]
    np.testing.assert_allclose([rate(at(progress=place)) for place in places], expected, rtol=1e-12)


def test_plateau_is_that_of_pytorch():
    keys = {key: float(STORED[f"plateau:{key}"]) for key in ("learning_rate", "decay", "min_learning_rate")}
    optim = section("plateau", patience=int(STORED["plateau:patience"]), **keys)
    rate, best, without_best, reductions, rates = schedules.build(optim), math.inf, 0, 0, []
    for loss in STORED["plateau:losses"]:
        without_best = 0 if loss < best else without_best + 1
        best = min(best, loss)
        reductions += schedules.stands_still(without_best, optim)
        rates.append(rate(at(reductions=reductions)))
    np.testing.assert_allclose(rates, STORED["plateau:rates"], rtol=1e-12)
    assert len(set(rates)) >= 4


def test_plateau_halves_the_rate_if_nothing_else_is_said():
    assert build("plateau")(at(reductions=3)) == 0.4 / 8
    assert build("plateau", decay=0.1)(at(reductions=2)) == pytest.approx(0.004)


@given(st.integers(1, 9), st.integers(0, 40))
def test_a_standstill_is_told_once_for_each_time_of_patience(patience, evaluations):
    optim = section("plateau", patience=patience)
    told = sum(schedules.stands_still(n, optim) for n in range(evaluations + 1))
    assert told == evaluations // patience


@given(st.integers(0, 10**6), st.integers(0, 100), st.floats(0, 1), st.integers(0, 20))
def test_constant_is_constant(iteration, epoch, progress, reductions):
    assert build("constant", 0.3)(at(iteration, epoch, progress, reductions)) == 0.3


@pytest.mark.parametrize(("iteration", "rate"), [(0, 0.1), (1, 0.2), (2, 0.3), (3, 0.4), (4, 0.4), (99, 0.4)])
def test_a_warm_up_rises_in_equal_steps_to_the_whole_rate(iteration, rate):
    assert build("constant", warmup=4)(at(iteration)) == pytest.approx(rate, rel=1e-14)


def test_a_warm_up_lies_on_top_of_the_schedule():
    rate = build("linear", warmup=4)
    assert rate(at(1, progress=0.25)) == pytest.approx(0.4 * 0.75 * 2 / 4, rel=1e-14)


POSITIONS = st.builds(Position, st.integers(0, 60), st.integers(0, 30), st.floats(0, 1), st.integers(0, 5))


@given(st.sampled_from(list(SCHEDULES)), st.integers(0, 50), POSITIONS, st.floats(0, 1))
def test_no_schedule_leaves_the_range_of_its_ends(name, warmup, position, share):
    rate = build(name, warmup=warmup, min_learning_rate=0.4 * share)
    begins_low = warmup or "min_learning_rate" not in SCHEDULES[name].keys or name == "one_cycle"
    low = 0 if begins_low else 0.4 * share * (1 - 1e-12)
    assert low <= rate(position) <= 0.4 * (1 + 1e-12)


@given(st.sampled_from(list(SCHEDULES)), POSITIONS, st.floats(0.01, 0.4))
def test_a_schedule_is_what_its_formula_says(name, position, lowest):
    optim = section(name, min_learning_rate=lowest, decay_after=3, decay_every=2)
    known = {**vars(optim), **position._asdict(), "final": lowest / 0.4, "cos": math.cos, "pi": math.pi}
    formulas = re.findall(r"^ *factor = (.+?)(?: +if (.+))?$", getattr(schedules, name).__doc__, re.MULTILINE)
    holding = [formula for formula, condition in formulas if not condition or eval(condition, known)]
    assert len(holding) == 1
    factor = eval(holding[0].replace("^", "**"), known)
    assert schedules.build(optim)(position) == pytest.approx(0.4 * factor, rel=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_keys_in_the_row_of_a_schedule_are_those_that_it_reads(name, recorded):
    recorder = recorded(section(name, min_learning_rate=0.1))
    for progress in (0.1, 0.5):
        getattr(schedules, name)(at(progress=progress), recorder)
    beside = {"patience"} if name == "plateau" else set()  # which decides when to count a reduction
    assert recorder.read - {"learning_rate"} == set(SCHEDULES[name].keys) - beside


def test_a_name_that_is_no_schedule_is_told():
    with pytest.raises(ValueError, match="there is no schedule 'cosinus'"):
        schedules.build(OptimConfig(schedule="cosinus"))
