"""Every registered cell, under every condition that changes its backward pass."""

from __future__ import annotations

import pytest

from charrnn.nn.cells import ACTIVATIONS, CELLS

ARCHITECTURES = [(cell, activation) for cell in CELLS for activation in (ACTIVATIONS if cell == "rnn" else ("tanh",))]


@pytest.fixture(params=ARCHITECTURES, ids="-".join)
def cell(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each registered cell, and the plain RNN with each activation, as arguments of CharLM."""
    return dict(zip(("cell", "activation"), request.param, strict=True))


@pytest.fixture(params=[a for a in ARCHITECTURES if a[1] != "relu"], ids="-".join)
def smooth_cell(request: pytest.FixtureRequest) -> dict[str, str]:
    """The same without relu, which compares: complex numbers cannot."""
    return dict(zip(("cell", "activation"), request.param, strict=True))


@pytest.fixture(params=[1, 2, 3], ids="{}-layers".format)
def num_layers(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture(params=["zero", "learned"])
def initial_state(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[0.0, 0.3], ids=["whole", "dropout"])
def dropout(request: pytest.FixtureRequest) -> float:
    return request.param
