"""Every registered cell, under every condition that changes its backward pass."""

from __future__ import annotations

import pytest
from architectures import ARCHITECTURES, KINDS, Architecture


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def cell(request: pytest.FixtureRequest) -> Architecture:
    """Each registered cell, and the plain RNN with each activation, as arguments of CharLM."""
    return request.param


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    """The same with each option, and with all of them."""
    return request.param
