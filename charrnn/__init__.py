"""charrnn: character-level recurrent language models in NumPy.

    import charrnn
    run = charrnn.load("runs/harbour")
    print("".join(charrnn.sample(run, prompt="MARTHA:", length=300, seed=1)))

Shapes, wherever a comment ends in one:

    T seq_length   B batch_size   V vocab_size   D input_size   H hidden_size   Z = H + D   G gate blocks   L layers

Losses are in nats per character, a mean over time and batch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from charrnn.version import __version__

if TYPE_CHECKING:
    from charrnn.judging.evaluation import evaluate
    from charrnn.nn.model import CharLM
    from charrnn.runs.checkpoint import load
    from charrnn.runs.run import Run
    from charrnn.sampling import sample
    from charrnn.training.trainer import Trainer

__all__ = ["CharLM", "Run", "Trainer", "__version__", "evaluate", "load", "sample"]

_HOMES = {
    "CharLM": "charrnn.nn.model",
    "Run": "charrnn.runs.run",
    "Trainer": "charrnn.training.trainer",
    "evaluate": "charrnn.judging.evaluation",
    "load": "charrnn.runs.checkpoint",
    "sample": "charrnn.sampling",
}


def __getattr__(name: str) -> Any:
    # Loaded when first used, so that `charrnn --help` does not wait for NumPy.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
