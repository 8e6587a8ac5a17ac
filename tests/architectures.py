"""What a network can be: every registered cell, and for each the options that are for it."""

from __future__ import annotations

from typing import Any

import pytest
import reference

from charrnn.nn.cells import ACTIVATIONS, CELLS

Architecture = dict[str, Any]
"""Arguments of CharLM."""

KINDS: dict[str, Architecture] = {
    f"{cell}-{activation}": {"cell": cell, "activation": activation}
    for cell in CELLS
    for activation in (ACTIVATIONS if cell == "rnn" else ("tanh",))
}
"""Each registered cell, and the plain RNN with each activation."""

OPTIONS: dict[str, Architecture] = {
    "plain": {},
    "learned": {"initial_state": "learned"},
    "random": {"initial_state": "random", "state_noise": 0.5},
    "dropout": {"dropout": 0.3},
    "window_dropout": {"dropout": 0.3, "dropout_per": "window"},
    "recurrent_dropout": {"recurrent_dropout": 0.35},
    "zoneout_h": {"zoneout_h": 0.25},
    "zoneout_c": {"zoneout_c": 0.4},
    "layer_norm": {"layer_norm": True},
    "bidirectional": {"bidirectional": True},
}
"""Each thing that can be switched on, alone. No two probabilities are alike, so that none can be taken for another."""


def fits(cell: str, option: str) -> bool:
    """Whether a cell can have it, as the reference has it and not as the package says."""
    if option == "recurrent_dropout":
        return cell != "rnn"
    if option == "zoneout_c":
        return "c" in reference.STATE_KEYS[cell]
    if option == "layer_norm":
        return cell not in reference.GATED_PRODUCT
    return True


def _of(cell: str) -> dict[str, Architecture]:
    """The options of a cell one by one, and all at once: forward alone, and in both directions."""
    alone = {name: option for name, option in OPTIONS.items() if fits(cell, name)}
    at_once: Architecture = {}
    for option in alone.values():
        at_once |= option
    return alone | {
        "everything": at_once | {"bidirectional": False, "dropout_per": "step", "initial_state": "learned"},
        "everything_bidirectional": at_once,
    }


ARCHITECTURES: dict[str, Architecture] = {
    f"{name}-{option}": kind | chosen for name, kind in KINDS.items() for option, chosen in _of(kind["cell"]).items()
}
"""Every kind of network with each option that fits it, and with all of them."""

CAUSAL = {name: chosen for name, chosen in ARCHITECTURES.items() if not chosen.get("bidirectional")}
"""Those that read a text from its beginning alone."""


# Fixtures, which the folders that need them import into their conftest.py.


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def cell(request: pytest.FixtureRequest) -> Architecture:
    """Each registered cell, and the plain RNN with each activation, as arguments of CharLM."""
    return request.param


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    """The same with each option, and with all of them."""
    return request.param


@pytest.fixture(params=CAUSAL.values(), ids=CAUSAL)
def causal(request: pytest.FixtureRequest) -> Architecture:
    """Those of them that read a text from its beginning alone."""
    return request.param
