"""Optimizers against PyTorch's, and against the formulas in their own docstrings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.nn.parameters import Parameters
from charrnn.optim import OPTIMIZERS, blocks, optimizers
from charrnn.optim.options import OptimConfig

STORED = np.load(Path(__file__).parents[1] / "fixtures" / "optimizer_updates.npz")
CASES = sorted(name.removesuffix(":after") for name in STORED.files if name.endswith(":after"))


def section(name, **others):
    """The section `optim` as someone gets it who chooses an optimizer, here without clipping."""
    settings = {"name": name, "clip_norm": None, **others}
    return resolve([Setting(f"optim.{key}", value, "test") for key, value in settings.items()])[0].optim


def section_of_case(case):
    prefix = f"{case}:"
    of_case = {name.removeprefix(prefix): STORED[name] for name in STORED.files if name.startswith(prefix)}
    del of_case["after"]
    return section(case.partition("/")[0], **{key: float(value) for key, value in of_case.items()})


def steps(optimizer, start=STORED["start"], learning_rate=0.1):
    """What an optimizer makes of each of the stored gradients; and its slots."""
    slots, found = optimizer.init(start), []
    for gradient in STORED["gradients"]:
        found.append(gradient.astype(start.dtype))
        optimizer.update(found[-1], slots, learning_rate)
    return found, slots


def test_every_optimizer_is_compared_with_pytorch():
    assert {case.partition("/")[0] for case in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize("case", CASES)
def test_ten_updates_are_those_of_pytorch(case):
    optim = section_of_case(case)
    optimizer, params = optimizers.build(optim), Parameters({"W": (2, 3)}, STORED["start"].copy())
    slots, after = optimizer.init(params.vector), []
    for gradient in STORED["gradients"]:
        step = gradient.copy()
        optimizer.update(step, slots, optim.learning_rate)
        optimizers.decay_weights(params.values(), optim.learning_rate, optim)
        params.vector -= step
        after.append(params.vector.copy())
    assert len(after) == 10
    np.testing.assert_allclose(after, STORED[f"{case}:after"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_updates_are_those_of_the_formula(name):
    optim = section(name, **dict.fromkeys(OPTIMIZERS[name].keys, 0.3))
    lines = re.findall(r"^ +(\w+) = (.+)$", getattr(optimizers, name).__doc__, re.MULTILINE)
    known = {**vars(np), **vars(optim), "lr": 0.1, **dict.fromkeys(OPTIMIZERS[name].slots, 0.0)}
    found, _ = steps(optimizers.build(optim))
    for n, (gradient, step) in enumerate(zip(STORED["gradients"], found, strict=True), 1):
        known |= {"g": gradient, "n": n}
        for target, formula in lines:
            known[target] = eval(formula.replace("^", "**"), known)
        np.testing.assert_allclose(step, known["step"], rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_keys_in_the_row_of_an_optimizer_are_those_that_it_reads(name, recorded):
    optim = section(name)
    optimizer, recorder = optimizers.build(optim), recorded(optim)
    optimizer.step(STORED["start"].copy(), optimizer.init(STORED["start"]), 0.1, recorder)
    assert recorder.read == set(OPTIMIZERS[name].keys)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_slots_have_the_type_of_the_parameters_and_updates_keep_it(name, rng):
    vector = rng.standard_normal(5).astype(np.float32)
    optimizer = optimizers.build(section(name))
    slots = optimizer.init(vector)
    kept = {key: array for key, array in slots.items() if key != "count"}
    assert tuple(kept) == OPTIMIZERS[name].slots
    assert ("count" in slots) == OPTIMIZERS[name].counts
    assert all(array.dtype == np.float32 and array.shape == (5,) for array in kept.values())
    g = rng.standard_normal(5).astype(np.float32)
    optimizer.update(g, slots, 0.1)
    assert g.dtype == np.float32
    assert all(slots[key] is array for key, array in kept.items())
    assert all(array.any() for array in slots.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_vector_of_many_blocks_is_updated_as_one_block_would_be(name, monkeypatch):
    results = []
    for size in (blocks.BLOCK_BYTES, 24):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
        found, slots = steps(optimizers.build(section(name)))
        results.append([array.tobytes() for array in (*found, *slots.values())])
    assert STORED["start"].nbytes > 24
    assert results[0] == results[1]


@pytest.mark.parametrize("eps", [1e-8, 1e-10, 1e-46, 1e-60])
@pytest.mark.parametrize("name", [name for name, row in OPTIMIZERS.items() if "eps" in row.keys])
def test_a_character_not_seen_yet_is_not_moved_however_small_eps_is(name, eps):
    optimizer = optimizers.build(section(name, eps=eps))
    vector = np.array([1.0, 2.0], np.float32)
    slots = optimizer.init(vector)
    step = np.array([0.0, 0.5], np.float32)
    optimizer.update(step, slots, 0.1)
    assert step[0] == 0
    assert step[1] > 0


def test_the_norm_is_clipped_before_the_values_and_both_before_the_optimizer():
    g = np.array([3.0, 4.0])
    optimizer = optimizers.build(section("sgd", clip_norm=1.0, clip_value=0.7))
    optimizer.update(g, optimizer.init(g), 10.0)
    np.testing.assert_allclose(g, [6.0, 7.0])  # 3 4 -> .6 .8 -> .6 .7 -> 6 7; the other order gives 7.07 7.07


def test_a_norm_that_is_known_already_is_believed():
    g = np.array([4.0])
    optimizers.build(section("sgd", clip_norm=3.0)).update(g, {}, 1.0, size=6.0)
    assert g[0] == 2


def test_no_clipping_means_the_optimizer_alone(rng):
    g = rng.standard_normal(4) * 1e6
    expected = g * 0.5
    optimizer = optimizers.build(section("sgd"))
    optimizer.update(g, optimizer.init(g), 0.5)
    np.testing.assert_array_equal(g, expected)


def test_a_name_that_is_no_optimizer_is_told():
    with pytest.raises(ValueError, match="there is no optimizer 'adma'"):
        optimizers.build(OptimConfig("adma"))


def test_adam_with_a_weight_decay_is_adamw():
    adam, adamw = section("adam", weight_decay=0.01), section("adamw")
    assert adam.weight_decay == adamw.weight_decay
    (some, _), (others, _) = steps(optimizers.build(adam)), steps(optimizers.build(adamw))
    np.testing.assert_array_equal(some, others)
