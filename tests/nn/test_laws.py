"""What must hold for every registered cell, whatever its equations."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from charrnn.nn import dropout, unroll
from charrnn.nn.cells.base import Tape
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters

V, H = 7, 4
TINY = 1e-13


@pytest.fixture
def model(cell):
    return CharLM(V, hidden_size=H, num_layers=2, **cell)


@pytest.fixture
def learned(model):
    return replace(model, initial_state="learned")


def pieces(case, cut):
    """The window before and after step `cut`; only the first can begin a text."""
    before = replace(case, ids=case.ids[:cut], targets=case.targets[:cut])
    after = replace(case, ids=case.ids[cut:], targets=case.targets[cut:], starts=None)
    return before, after


@pytest.mark.parametrize("cut", [1, 3])
def test_two_windows_with_the_state_carried_equal_one(model, window, cut):
    case = window(model)
    logits, final = case.forward()
    before, after = pieces(case, cut)
    first, state = before.forward()
    second, last = replace(after, state=state).forward()
    np.testing.assert_allclose(np.concatenate([first, second]), logits, rtol=0, atol=TINY)
    for got, expected in zip(last, final, strict=True):
        for key in expected:
            np.testing.assert_allclose(got[key], expected[key], rtol=0, atol=TINY)


@pytest.mark.parametrize("cut", [1, 3])
def test_the_gradient_of_the_state_joins_two_windows_into_one(learned, window, cut):
    case = window(learned, T=5)
    whole = case.results()
    before, after = pieces(case, cut)
    _, state = before.forward()
    # The loss is a mean over steps: of each window's gradient only its share of the steps counts.
    rest = (5 - cut) / 5
    scaled = [{key: d / rest for key, d in layer.items()} for layer in case.dstate]
    second = replace(after, state=state, dstate=scaled).results()
    across = [{key: second[f"dstate.{i}.{key}"] * rest / (cut / 5) for key in row} for i, row in enumerate(state)]
    first = replace(before, dstate=across).results()
    for name in (name for name in whole if name.startswith("d")):
        total = first[name] * (cut / 5)
        if not name.startswith("dstate"):
            total += second[name] * rest
        np.testing.assert_allclose(total, whole[name], rtol=0, atol=TINY, err_msg=name)


def test_a_row_does_not_see_the_others(model, window):
    case, other = window(model, starts=(0, 1)), window(model, starts=(2,), seed=1)
    for b in range(3):
        mixed = copy.deepcopy(other)
        mixed.params = case.params
        mixed.ids[:, b], mixed.starts[b] = case.ids[:, b], case.starts[b]
        for row, given in zip(mixed.state, case.state, strict=True):
            for key in row:
                row[key][b] = given[key][b]
        np.testing.assert_allclose(mixed.forward()[0][:, b], case.forward()[0][:, b], rtol=0, atol=TINY)
        assert (np.abs(mixed.forward()[0] - case.forward()[0]).max(axis=(0, 2)) > 1e-3).sum() == 2


@pytest.mark.parametrize("t", range(5))
def test_a_character_changes_what_follows_it_and_nothing_before(model, window, t):
    case = window(model)
    before, _ = case.forward()
    case.ids[t] = (case.ids[t] + 1) % V
    after, _ = case.forward()
    np.testing.assert_array_equal(after[:t], before[:t])
    assert (after[t:] != before[t:]).any(axis=(1, 2)).all()


def test_ids_equal_their_one_hot_rows(model, rng):
    """A first layer reads ids, the layers above it floats: both ways must be one function with one derivative."""
    kind, T, B = model.stack.cell, 5, 3
    params = {name: rng.normal(0, 0.5, shape) for name, shape in unroll.shapes(kind, V, H, True).items()}
    state, cotangent = ({name: rng.normal(0, 0.5, (B, H)) for name in kind.state} for _ in range(2))
    ids, dh, starts = rng.integers(V, size=(T, B)), rng.normal(0, 0.5, (T, B, H)), np.array([False, True, False])
    results = []
    for x in (ids, np.eye(V)[ids]):
        tape = Tape(kind, T, B, H, np.float64)
        grads, dstate = {name: np.full_like(p, np.nan) for name, p in params.items()}, copy.deepcopy(cotangent)
        h = unroll.forward(kind, params, x, state, starts, tape)
        dx = np.full((T, B, V), np.nan)
        unroll.backward(kind, params, dh, dstate, tape, grads, dx)
        results.append([h, *grads.values(), *dstate.values()])
    for gathered, multiplied in zip(*results, strict=True):
        np.testing.assert_allclose(gathered, multiplied, rtol=0, atol=TINY)
    np.testing.assert_allclose(dx, tape.da @ params["W"][H:].T, rtol=0, atol=TINY)


def test_a_mask_of_probability_zero_is_none(model, window, assert_same, rng):
    case = window(model)
    masks = [None, *(dropout.mask(rng, (5, 3, H), 0.0, np.float64) for _ in range(2))]
    assert_same(replace(case, masks=masks).results(), case.results())


def test_dropout_changes_the_result(model, window):
    case = window(replace(model, dropout=0.3))
    for place in (1, 2):
        masks = [mask if k == place else None for k, mask in enumerate(case.masks)]
        assert not np.allclose(replace(case, masks=masks).forward()[0], replace(case, masks=None).forward()[0])


def test_a_zero_cotangent_gives_zero_gradients(model, rng):
    kind, D, T, B = model.stack.cell, 6, 5, 3
    params = {name: rng.normal(0, 0.5, shape) for name, shape in unroll.shapes(kind, D, H, True).items()}
    x, state = rng.normal(0, 0.5, (T, B, D)), {name: rng.normal(0, 0.5, (B, H)) for name in kind.state}
    starts, tape = np.array([False, True, False]), Tape(kind, T, B, H, np.float64)
    grads = {name: np.full_like(p, np.nan) for name, p in params.items()}
    dstate = {name: np.zeros((B, H)) for name in kind.state}
    unroll.forward(kind, params, x, state, starts, tape)
    dx = np.full_like(x, np.nan)
    unroll.backward(kind, params, np.zeros((T, B, H)), dstate, tape, grads, dx)
    for array in (dx, *grads.values(), *dstate.values()):
        np.testing.assert_array_equal(array, 0)


def test_the_same_seed_gives_the_same_bytes(cell, window):
    def run(seed):
        model = CharLM(V, hidden_size=H, num_layers=2, dropout=0.3, initial_state="learned", **cell)
        return {name: array.tobytes() for name, array in window(model, dtype=np.float32, seed=seed).results().items()}

    first, other = run(1), run(2)
    assert first == run(1)
    assert all(first[name] != other[name] for name in first)


def test_a_model_that_has_seen_other_windows_computes_what_a_fresh_one_does(learned, window, assert_same):
    used = replace(learned)
    for T, B, dtype in [(5, 3, np.float64), (2, 3, np.float64), (5, 3, np.float32), (5, 2, np.float64)]:
        window(used, T=T, B=B, dtype=dtype, seed=1).results()
    assert_same(window(used).results(), window(replace(learned)).results())


def test_what_a_pass_returns_is_the_callers_to_keep(model, window, assert_same, names):
    case = window(model)
    logits, final = case.forward()
    kept = copy.deepcopy((logits, final))
    replace(window(model, seed=1), model=case.model).results()
    assert_same(names(logits, 0, {}, final, final), names(kept[0], 0, {}, kept[1], kept[1]))


def test_a_pass_changes_nothing_that_it_is_given(cell, window):
    model = CharLM(V, hidden_size=H, num_layers=2, dropout=0.3, initial_state="learned", **cell)
    case, untouched = window(model), window(model)
    case.results()
    for name in ("params", "ids", "targets", "state", "starts", "masks"):
        np.testing.assert_equal(getattr(case, name), getattr(untouched, name))


def test_float32_is_close_to_float64(learned, window):
    exact = window(learned)
    rounded = replace(
        exact,
        params=Parameters(exact.params.shapes, exact.params.vector.astype(np.float32)),
        state=[{key: array.astype(np.float32) for key, array in layer.items()} for layer in exact.state],
        dstate=[{key: array.astype(np.float32) for key, array in layer.items()} for layer in exact.dstate],
    ).results()
    for name, expected in exact.results().items():
        assert rounded[name].dtype == np.float32 or name == "loss", name  # which is summed up in float64
        np.testing.assert_allclose(rounded[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("initial_state", ["zero", "learned"])
def test_a_row_that_begins_a_text_ignores_the_state_given(model, initial_state, window, assert_same):
    case = window(replace(model, initial_state=initial_state), starts=(0, 2))
    expected = case.results()
    for layer in case.state:
        for array in layer.values():
            array[[0, 2]] = np.nan
    got = case.results()
    assert_same(got, expected)
    for name in (name for name in got if name.startswith("dstate")):
        assert not got[name][[0, 2]].any()
        assert got[name][1].any()


def test_a_row_that_begins_a_text_begins_from_zero_or_from_what_was_learned(model, learned, window):
    for begin, value in ((model, lambda params, name: 0), (learned, lambda params, name: params[name])):
        case = window(begin, starts=(0, 1, 2))
        given = [
            {key: np.zeros((3, H)) + value(case.params, f"layers.{i}.{key}0") for key in layer}
            for i, layer in enumerate(case.state)
        ]
        np.testing.assert_array_equal(case.forward()[0], replace(case, state=given, starts=None).forward()[0])


@pytest.mark.parametrize("starts", [(), (1,), (0, 2), (0, 1, 2)])
def test_a_learned_state_has_gradient_from_the_rows_that_begin_a_text_alone(learned, window, starts):
    case = window(learned, starts=starts)
    # The same values, handed in as the state: its gradient then has a row for each row.
    given = copy.deepcopy(case.state)
    for i, layer in enumerate(given):
        for key in layer:
            layer[key][list(starts)] = case.params[f"layers.{i}.{key}0"]
    by_row, got = replace(case, state=given, starts=None).results(), case.results()
    for i, layer in enumerate(given):
        for key in layer:
            expected = by_row[f"dstate.{i}.{key}"][list(starts)].sum(axis=0)
            np.testing.assert_allclose(got[f"dlayers.{i}.{key}0"], expected, rtol=0, atol=TINY)
            assert got[f"dlayers.{i}.{key}0"].any() == bool(starts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_units_give_finite_numbers_and_no_warning(cell, window, dtype):
    case = window(CharLM(V, hidden_size=H, num_layers=2, **cell), T=2, dtype=dtype)  # short: relu has no bounds
    case.params.vector *= 1000
    for name, array in case.results().items():
        assert np.isfinite(array).all(), name
