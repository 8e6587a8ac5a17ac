"""What is random in training: what is drawn, for what it is meant, and what takes its place elsewhere."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
from architectures import CAUSAL, OPTIONS

from charrnn.nn import noise
from charrnn.nn.model import CharLM

T, B, V, H = 6, 4, 5, 7
ALL = {"dropout": 0.4, "recurrent_dropout": 0.3, "zoneout_h": 0.2, "zoneout_c": 0.6, "initial_state": "random"}
DRAWING = {name: option for name, option in OPTIONS.items() if option.keys() & ALL.keys() and name != "learned"}
PROBABILITIES = pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def arrays(layer):
    """All that is drawn for a layer, by name."""
    named = {"output": layer.output_mask, "candidate": layer.candidate_mask}
    named |= {f"zoneout.{name}": z for name, z in layer.zoneout.items()}
    return named | {f"start.{name}": state for name, state in layer.start.items()}


@PROBABILITIES
@FLOATS
def test_a_mask_is_zero_with_its_probability_and_its_mean_is_one(rng, probability, dtype):
    mask = noise.mask(rng, (100, 50, 40), probability, dtype)
    assert mask.dtype == dtype
    assert mask.shape == (100, 50, 40)
    np.testing.assert_array_equal(np.unique(mask), np.array([0, 1 / (1 - probability)], dtype))
    assert (mask == 0).mean() == pytest.approx(probability, abs=5 * np.sqrt(0.25 / mask.size))
    assert mask.mean(dtype=np.float64) == pytest.approx(1, abs=0.03)


@PROBABILITIES
@FLOATS
def test_a_unit_is_zoned_out_with_its_probability(rng, probability, dtype):
    mask = noise.zoneout_mask(rng, (100, 50, 40), probability, dtype)
    assert mask.dtype == dtype
    assert mask.shape == (100, 50, 40)
    np.testing.assert_array_equal(np.unique(mask), [0, 1])
    assert (mask == 1).mean() == pytest.approx(probability, abs=5 * np.sqrt(0.25 / mask.size))


@pytest.mark.parametrize("draw", [noise.mask, noise.zoneout_mask])
def test_a_mask_differs_between_steps_rows_and_units(rng, draw):
    mask = draw(rng, (40, 40, 40), 0.5, np.float32)
    for axis in range(3):
        assert np.ptp(mask, axis=axis).all()


@FLOATS
@pytest.mark.parametrize(("num_layers", "bidirectional"), [(1, False), (3, False), (2, True)])
def test_each_layer_has_noise_of_its_own_in_each_direction(rng, num_layers, bidirectional, dtype):
    model = CharLM(V, cell="lstm", hidden_size=H, num_layers=num_layers, bidirectional=bidirectional, **ALL)
    drawn = model.noise(rng, T, B, dtype)
    assert len(drawn) == num_layers * (1 + bidirectional)
    for k, layer in enumerate(drawn):
        each_step = dict.fromkeys(("candidate", "zoneout.h", "zoneout.c"), (T, B, H))
        shapes = each_step | dict.fromkeys(("start.h", "start.c"), (B, H))
        if bidirectional and k % 2:
            assert layer.output_mask is None  # the mask of the two outputs side by side is that of the first
        else:
            shapes["output"] = (T, B, H * (1 + bidirectional))
        found = {name: array for name, array in arrays(layer).items() if array is not None}
        assert {name: array.shape for name, array in found.items()} == shapes
        assert {array.dtype for array in found.values()} == {np.dtype(dtype)}


def test_each_thing_is_drawn_as_it_was_configured(rng):
    model = CharLM(V, cell="lstm", hidden_size=50, state_noise=0.7, **ALL)
    (layer,) = model.noise(rng, 100, 40, np.float64)
    tolerance = 5 * np.sqrt(0.25 / layer.candidate_mask.size)
    assert (layer.output_mask == 0).mean() == pytest.approx(0.4, abs=tolerance)
    assert (layer.candidate_mask == 0).mean() == pytest.approx(0.3, abs=tolerance)
    assert layer.kept == 1 - 0.3
    np.testing.assert_allclose(layer.candidate_mask[layer.candidate_mask > 0], 1 / layer.kept, rtol=1e-15)
    assert layer.zoneout["h"].mean() == pytest.approx(0.2, abs=tolerance)
    assert layer.zoneout["c"].mean() == pytest.approx(0.6, abs=tolerance)
    for state in layer.start.values():
        assert state.mean() == pytest.approx(0, abs=5 * 0.7 / np.sqrt(state.size))
        assert state.std() == pytest.approx(0.7, rel=0.1)


def test_dropout_for_a_window_is_one_mask_for_all_its_steps(rng, window):
    model = CharLM(V, cell="gru", hidden_size=H, num_layers=2, dropout=0.4, dropout_per="window")
    assert [layer.output_mask.shape for layer in model.noise(rng, T, B)] == [(1, B, H)] * 2
    case = window(model, T=T, B=B)
    for_each_step = copy.deepcopy(case.noise)
    for layer in for_each_step:
        layer.output_mask = np.repeat(layer.output_mask, T, axis=0)
    np.testing.assert_array_equal(case.forward()[0], replace(case, noise=for_each_step).forward()[0])


def test_noise_comes_from_the_generator_alone():
    model = CharLM(V, cell="lstm", hidden_size=H, num_layers=2, **ALL)
    first, again, other = (model.noise(np.random.default_rng(seed), T, B) for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        for name, array in arrays(a).items():
            np.testing.assert_array_equal(array, arrays(b)[name])
            assert (array != arrays(c)[name]).any()


def test_every_window_has_new_noise_and_no_two_places_share_theirs(rng):
    half = dict.fromkeys(("dropout", "recurrent_dropout", "zoneout_h", "zoneout_c"), 0.5)
    model = CharLM(V, cell="lstm", hidden_size=50, num_layers=2, bidirectional=True, initial_state="random", **half)
    drawn = [arrays(layer) for _ in range(2) for layer in model.noise(rng, T, B)]
    steps = [array[..., :50] > 0 for named in drawn for array in named.values() if np.ndim(array) == 3]
    starts = [array > 0 for named in drawn for array in named.values() if np.ndim(array) == 2]
    assert (len(steps), len(starts)) == (2 * 2 * (1 + 2 * 3), 2 * 2 * 2 * 2)
    for places in (steps, starts):
        for one, other in itertools.combinations(places, 2):
            assert 0.3 < (one != other).mean() < 0.7


@pytest.mark.parametrize("option", OPTIONS)
def test_a_model_with_nothing_random_draws_nothing(rng, option):
    model = CharLM(V, cell="lstm", hidden_size=H, **OPTIONS[option])
    before = rng.bit_generator.state
    assert model.is_noisy == (option in DRAWING)
    assert (model.noise(rng, T, B) is not None) == model.is_noisy
    assert (rng.bit_generator.state != before) == model.is_noisy


@pytest.mark.parametrize("option", DRAWING)
def test_what_is_switched_on_draws_nothing_else_and_changes_the_result(option, window):
    case = window(CharLM(V, cell="lstm", hidden_size=H, num_layers=2, **OPTIONS[option]))
    whole, _ = case.forward()
    quiet = replace(case, model=CharLM(V, cell="lstm", hidden_size=H, num_layers=2), noise=None)
    assert not np.allclose(whole, quiet.forward()[0])
    for k, layer in enumerate(case.noise):
        drawn = {name for name, array in arrays(layer).items() if array is not None}
        assert (
            drawn
            == {
                "random": {"start.h", "start.c"},
                "dropout": {"output"},
                "window_dropout": {"output"},
                "recurrent_dropout": {"candidate"},
                "zoneout_h": {"zoneout.h"},
                "zoneout_c": {"zoneout.c"},
            }[option]
        )
        alone = [one if place == k else noise.LayerNoise() for place, one in enumerate(case.noise)]
        changed = replace(quiet, noise=alone).forward()[0]
        assert not np.allclose(changed, quiet.forward()[0])
        assert not np.allclose(changed, whole)


def test_masks_of_probability_zero_are_none_at_all(cell, window, assert_same, rng):
    case = window(CharLM(V, hidden_size=H, num_layers=2, **cell), T=T, B=B)
    shape, kind = (T, B, H), case.model.stack.cell
    of_nothing = [
        noise.LayerNoise(
            noise.mask(rng, shape, 0.0, np.float64),
            noise.mask(rng, shape, 0.0, np.float64) if kind.has_candidate else None,
            zoneout={name: noise.zoneout_mask(rng, shape, 0.0, np.float64) for name in kind.state},
            start={name: np.zeros((B, H)) for name in kind.state},
        )
        for _ in range(2)
    ]
    assert_same(replace(case, noise=of_nothing).results(), case.results())


def test_a_unit_that_is_zoned_out_keeps_its_state(window):
    case = window(CharLM(V, cell="lstm", hidden_size=H, zoneout_h=0.5, zoneout_c=0.5), T=1, B=50, starts=())
    (layer,), (before,), (after,) = case.noise, case.state, case.forward()[1]
    for name in ("h", "c"):
        unchanged = np.isclose(after[name], before[name], rtol=0, atol=1e-15)
        np.testing.assert_array_equal(unchanged, layer.zoneout[name][0] == 1)


@pytest.mark.parametrize("option", ["zoneout_h", "zoneout_c"])
def test_without_noise_zoneout_is_its_mean(option, window):
    model = CharLM(V, cell="lstm", hidden_size=H, **OPTIONS[option])
    many, one = window(model, T=1, B=20_000, starts=()), window(model, T=1, B=1, starts=())
    for name, row in one.state[0].items():
        many.state[0][name][...] = row
    many = replace(many, ids=np.full_like(many.ids, one.ids[0, 0]), params=one.params)
    name = option[-1]
    drawn, mean = (case.forward()[1][0][name] for case in (many, replace(one, noise=None)))
    np.testing.assert_allclose(drawn.mean(axis=0), mean[0], atol=5 * drawn.std() / np.sqrt(20_000))
    (without,) = replace(one, model=CharLM(V, cell="lstm", hidden_size=H), noise=None).forward()[1]
    assert (np.abs(mean - without[name]) > 0.02).any()


@pytest.mark.parametrize("initial_state", ["zero", "random"])
def test_a_text_begins_from_noise_in_training_and_from_zero_elsewhere(initial_state, window):
    case = window(
        CharLM(V, cell="lstm", hidden_size=H, num_layers=2, initial_state=initial_state, state_noise=0.5), starts=(0, 2)
    )
    given = copy.deepcopy(case.state)
    for k, layer in enumerate(given):
        for name, state in layer.items():
            state[[0, 2]] = case.noise[k].start[name][[0, 2]] if initial_state == "random" else 0
    expected = replace(case, state=given, starts=None).forward()[0]
    np.testing.assert_array_equal(case.forward()[0], expected)
    for layer in given:
        for state in layer.values():
            state[[0, 2]] = 0
    quiet = replace(case, noise=None)
    np.testing.assert_array_equal(quiet.forward()[0], replace(quiet, state=given, starts=None).forward()[0])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_noise_of_some_rows_is_theirs(bidirectional, window):
    case = window(
        CharLM(V, cell="lstm", hidden_size=H, num_layers=2, bidirectional=bidirectional, **ALL), B=6, starts=(0, 2, 3)
    )
    logits, final = case.forward()
    for rows in (slice(0, 2), slice(2, 6), slice(3, 4)):
        part = replace(
            case,
            ids=case.ids[:, rows],
            starts=case.starts[rows],
            state=[{name: state[rows] for name, state in layer.items()} for layer in case.state],
            noise=[layer.rows(rows) for layer in case.noise],
        )
        of_rows, state = part.forward()
        np.testing.assert_allclose(of_rows, logits[:, rows], rtol=0, atol=1e-13)
        for mine, whole in zip(state, final, strict=True):
            for name in whole:
                np.testing.assert_allclose(mine[name], whole[name][rows], rtol=0, atol=1e-13)


@pytest.mark.parametrize("noisy", [True, False], ids=["drawn", "mean"])
@pytest.mark.parametrize("architecture", CAUSAL.values(), ids=CAUSAL)
def test_the_noise_of_a_step_is_that_of_a_window_of_one_step(architecture, noisy, window):
    case = window(CharLM(V, hidden_size=H, num_layers=2, **architecture))
    drawn = case.noise if noisy and case.noise else None
    logits, final = replace(case, noise=drawn).forward()
    state = case.state
    for t in range(len(logits)):
        here = drawn and [layer.step(t) for layer in drawn]
        starts = case.starts if t == 0 else None
        step = replace(case, ids=case.ids[t : t + 1], state=state, starts=starts, noise=here)
        one, state = step.forward()
        np.testing.assert_allclose(one[0], logits[t], rtol=0, atol=1e-13)
    for mine, whole in zip(state, final, strict=True):
        for name in whole:
            np.testing.assert_allclose(mine[name], whole[name], rtol=0, atol=1e-13)


def test_a_layer_that_reads_from_the_end_takes_its_noise_from_there(rng):
    (layer,) = CharLM(V, cell="lstm", hidden_size=H, **ALL).noise(rng, T, B)
    flipped = arrays(layer.backwards())
    for name, array in arrays(layer).items():
        of_a_step = name not in ("output", "start.h", "start.c")
        np.testing.assert_array_equal(flipped[name], array[::-1] if of_a_step else array)
    assert layer.backwards().kept == layer.kept


def test_a_number_in_place_of_masks_is_the_same_for_all_steps_and_rows():
    layer = noise.LayerNoise(zoneout={"h": 0.3})
    assert layer.rows(slice(1, 2)).zoneout == layer.backwards().zoneout == layer.step(2).zoneout == {"h": 0.3}
