"""Optimizers against PyTorch's, and the laws of clipping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from charrnn.optim import optimizers as optim

STORED = np.load(Path(__file__).parents[1] / "fixtures" / "optimizer_updates.npz")
CASES = sorted(name.removesuffix(":after") for name in STORED.files if name.endswith(":after"))


def hyperparameters(case):
    prefix = f"{case}:"
    return {
        name.removeprefix(prefix): float(STORED[name])
        for name in STORED.files
        if name.startswith(prefix) and name not in (prefix + "after", prefix + "learning_rate")
    }


def test_every_optimizer_is_compared():
    assert {case.partition("/")[0] for case in CASES} == set(optim.OPTIMIZERS)


@pytest.mark.parametrize("case", CASES)
def test_ten_updates_are_those_of_pytorch(case):
    optimizer = optim.OPTIMIZERS[case.partition("/")[0]][0](**hyperparameters(case))
    learning_rate = float(STORED[f"{case}:learning_rate"])
    vector = STORED["start"].copy()
    slots = optimizer.init(vector)
    after = []
    for gradient in STORED["gradients"]:
        step = gradient.copy()
        optimizer.update(step, slots, learning_rate)
        vector -= step
        after.append(vector.copy())
    assert len(after) == 10
    np.testing.assert_allclose(after, STORED[f"{case}:after"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_slots_have_the_type_of_the_parameters_and_updates_keep_it(name, rng):
    vector = rng.standard_normal(5).astype(np.float32)
    optimizer = optim.OPTIMIZERS[name][0]()
    slots = optimizer.init(vector)
    kept = {key: array for key, array in slots.items() if key != "count"}
    assert all(array.dtype == np.float32 and array.shape == (5,) for array in kept.values())
    g = rng.standard_normal(5).astype(np.float32)
    optimizer.update(g, slots, 0.1)
    assert g.dtype == np.float32
    assert all(slots[key] is array for key, array in kept.items())


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_vector_of_many_blocks_is_updated_as_one_block_would_be(name, monkeypatch):
    results = []
    for size in (optim.BLOCK, 3):
        monkeypatch.setattr(optim, "BLOCK", size)
        optimizer = optim.OPTIMIZERS[name][0]()
        slots = optimizer.init(STORED["start"])
        for gradient in STORED["gradients"]:
            step = gradient.copy()
            optimizer.update(step, slots, 0.1)
        results.append([step.tobytes(), *(array.tobytes() for array in slots.values())])
    assert STORED["start"].size > 3
    assert results[0] == results[1]


@pytest.mark.parametrize("eps", [1e-8, 1e-10, 1e-46, 1e-60])
@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "adam"])
def test_a_character_that_has_not_appeared_is_not_moved_however_small_eps_is(name, eps):
    optimizer = optim.OPTIMIZERS[name][0](eps=eps)
    vector = np.array([1.0, 2.0], np.float32)
    slots = optimizer.init(vector)
    step = np.array([0.0, 0.5], np.float32)
    optimizer.update(step, slots, 0.1)
    assert step[0] == 0
    assert step[1] > 0


VECTORS = arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6))
LIMITS = st.floats(1e-3, 1e6)


@given(VECTORS, LIMITS)
def test_after_clipping_by_norm_the_norm_is_the_limit_or_nothing_changed(g, limit):
    clipped = g.copy()
    optim.clip_by_norm(limit).update(clipped, {}, 0.1)
    size = np.linalg.norm(g)
    if size <= limit:
        np.testing.assert_array_equal(clipped, g)
    else:
        np.testing.assert_allclose(np.linalg.norm(clipped), limit, rtol=1e-9)
        np.testing.assert_allclose(clipped * size, g * limit, rtol=1e-9, atol=1e-300)  # the direction is kept


@given(VECTORS, LIMITS)
def test_clipping_by_value_brings_elements_within_and_leaves_those_that_were(g, limit):
    clipped = g.copy()
    optim.clip_by_value(limit).update(clipped, {}, 0.1)
    assert np.abs(clipped).max() <= limit
    within = np.abs(g) <= limit
    np.testing.assert_array_equal(clipped[within], g[within])
    np.testing.assert_array_equal(np.sign(clipped), np.sign(g))


def test_the_norm_is_clipped_before_the_values_and_both_before_the_optimizer():
    g = np.array([3.0, 4.0])
    optimizer = optim.build("sgd", clip_norm=1.0, clip_value=0.7)
    optimizer.update(g, optimizer.init(g), 10.0)
    np.testing.assert_allclose(g, [6.0, 7.0])  # 3 4 -> .6 .8 -> .6 .7 -> 6 7; the other order gives 7.07 7.07


def test_a_chain_updates_in_order_and_shares_its_slots():
    halve = optim.Transform(lambda v: {"a": v}, lambda g, slots, lr, size: np.multiply(g, 0.5, out=g))
    add = optim.Transform(lambda v: {"b": v}, lambda g, slots, lr, size: np.add(g, 1, out=g))
    g = np.array([4.0])
    chained = optim.chain(halve, add)
    assert chained.init(g).keys() == {"a", "b"}
    chained.update(g, {}, 0.0)
    assert g[0] == 3


def test_a_norm_that_is_known_is_not_believed_once_the_gradient_has_changed():
    halve = optim.Transform(lambda v: {}, lambda g, slots, lr, size: np.multiply(g, 0.5, out=g))
    g = np.array([4.0])
    optim.chain(optim.clip_by_norm(3.0)).update(g, {}, 0.0, size=4.0)
    assert g[0] == 3
    g = np.array([4.0])
    optim.chain(halve, optim.clip_by_norm(3.0)).update(g, {}, 0.0, size=4.0)
    assert g[0] == 2


def test_no_clipping_means_the_optimizer_alone(rng):
    g = rng.standard_normal(4) * 1e6
    expected = g * 0.5
    optimizer = optim.build("sgd", None, None)
    optimizer.update(g, optimizer.init(g), 0.5)
    np.testing.assert_array_equal(g, expected)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_an_optimizer_is_built_with_its_own_hyperparameters(name, rng):
    values = {"momentum": 0.3, "alpha": 0.4, "beta1": 0.5, "beta2": 0.6, "eps": 0.7}
    own = {key: values[key] for key in optim.OPTIMIZERS[name][1]}
    steps = []
    for optimizer in (optim.build(name, None, None, **values), optim.OPTIMIZERS[name][0](**own)):
        slots = optimizer.init(STORED["start"])
        for gradient in STORED["gradients"]:
            step = gradient.copy()
            optimizer.update(step, slots, 0.1)
        steps.append(step)
    np.testing.assert_array_equal(*steps)
