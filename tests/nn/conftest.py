"""Every registered cell, and random windows for a model of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from architectures import architecture, causal, cell  # noqa: F401  # pytest finds fixtures by their names here

from charrnn.arrays import Batch
from charrnn.nn.model import CharLM
from charrnn.nn.noise import LayerNoise
from charrnn.nn.parameters import Parameters


@dataclass
class Window:
    """A model, and all that its forward and backward pass read."""

    model: CharLM
    params: Parameters
    ids: np.ndarray
    targets: np.ndarray
    state: list[dict[str, np.ndarray]]
    starts: np.ndarray | None
    noise: list[LayerNoise] | None
    dstate: list[dict[str, np.ndarray]]

    def forward(self) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
        return self.model.forward(self.params, self.ids, self.state, self.starts, self.noise)

    def results(self) -> dict[str, np.ndarray]:
        """All that the passes compute, by name. The gradients are written over NaNs: adding to them would show."""
        logits, _ = self.forward()
        grads = Parameters(self.params.shapes, np.full_like(self.params.vector, np.nan))
        dstate = copy.deepcopy(self.dstate)
        starts = np.zeros(self.ids.shape[1], bool) if self.starts is None else self.starts
        loss, final = self.model.loss_and_grads(
            self.params, Batch(self.ids, self.targets, starts), self.state, grads, self.noise, dstate
        )
        return named(logits, loss, grads, dstate, final)


def named(logits: Any, loss: Any, grads: Any, dstate: Any, final: Any) -> dict[str, np.ndarray]:
    results = {"logits": logits, "loss": np.asarray(loss)} | {f"d{name}": grad for name, grad in grads.items()}
    for layer in range(len(final)):
        for key in final[layer]:
            results[f"final.{layer}.{key}"] = final[layer][key]
            results[f"dstate.{layer}.{key}"] = dstate[layer][key]
    return results


def random_window(
    model: CharLM,
    T: int = 5,
    B: int = 3,
    dtype: Any = np.float64,
    starts: tuple[int, ...] = (1,),
    seed: int = 0,
) -> Window:
    """Nothing in it is zero, one, or alike. `starts` are the rows that begin a text."""
    rng = np.random.default_rng(seed)

    def normal(shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(dtype)

    def state() -> list[dict[str, np.ndarray]]:
        return [{k: normal(zero.shape) for k, zero in layer.items()} for layer in model.zero_state(B)]

    params = Parameters.zeros(model.shapes, dtype)
    params.vector[...] = normal(params.vector.shape)
    ids, targets = rng.integers(model.vocab_size, size=(2, T, B))
    rows = np.isin(np.arange(B), starts)
    return Window(model, params, ids, targets, state(), rows, model.noise(rng, T, B, dtype), state())


@pytest.fixture
def window() -> Callable[..., Window]:
    return random_window


@pytest.fixture
def names() -> Callable[..., dict[str, np.ndarray]]:
    """Puts what a pass computes into one dict, to be compared array by array."""
    return named


@pytest.fixture
def assert_same() -> Callable[..., None]:
    """Two dicts of arrays agree, bit for bit unless a tolerance is given."""

    def compare(got: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float = 0.0) -> None:
        assert got.keys() == expected.keys()
        for name in expected:
            np.testing.assert_allclose(got[name], expected[name], tolerance, tolerance, equal_nan=False, err_msg=name)

    return compare
