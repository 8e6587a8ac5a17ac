"""How gradients are proven: `check` compares, `subject` builds what is judged, and the `ORACLES` know the truth.

A new oracle is a file in this folder and a line in the table, which is where the command line has its choices from. The
table holds names alone and imports nothing: what can be chosen is known without NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.judging.gradcheck.subject import Judge

ORACLES: dict[str, tuple[str, str]] = {
    "finite-difference": ("oracles", "FINITE_DIFFERENCE"),
    "complex-step": ("oracles", "COMPLEX_STEP"),
    "rtrl": ("forward_mode", "RTRL"),
    "textbook": ("textbook", "TEXTBOOK"),
}
"""Each oracle, by its name on the command line: its module in this folder, and its `Judge` there."""


def load(name: str) -> Judge:
    """Returns the oracle called `name`, a key of ORACLES. Raises ValueError where there is none."""
    if name not in ORACLES:
        raise ValueError(f"there is no oracle {name!r}")
    module, judge = ORACLES[name]
    found: Judge = getattr(importlib.import_module(f"{__name__}.{module}"), judge)
    return found
