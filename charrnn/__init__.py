"""charrnn: character-level recurrent networks in NumPy.

    import charrnn
    run = charrnn.train("harbour", hidden_size=128, epochs=3)
    print(run.sample("MARTHA:", length=300, temperature=0.7))
    run.save("model.npz")

What `charrnn.train` and `charrnn.load` return can `sample`, `score`, `evaluate` and `predict` (docs/python.md).

Shapes, wherever a comment ends in one:

    T seq_length   B batch_size   V vocab_size   D input_size   H hidden_size   Z = H + D   G gate blocks   L layers

Losses are in nats per character, a mean over time and batch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from charrnn.version import __version__

if TYPE_CHECKING:
    from charrnn.errors import (
        CharrnnError,
        CheckpointError,
        ConfigError,
        DataError,
        DivergedError,
        Interrupted,
        LockedError,
        OutputError,
    )
    from charrnn.interface.learning import train
    from charrnn.interface.trained import TrainedRun, load
    from charrnn.judging.evaluation import evaluate
    from charrnn.nn.model import CharLM
    from charrnn.runs.run import Run
    from charrnn.sampling import sample
    from charrnn.training.trainer import Trainer

__all__ = [
    "CharLM",
    "CharrnnError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "Interrupted",
    "LockedError",
    "OutputError",
    "Run",
    "TrainedRun",
    "Trainer",
    "__version__",
    "evaluate",
    "load",
    "sample",
    "train",
]

_HOMES = {
    "CharLM": "charrnn.nn.model",
    "Run": "charrnn.runs.run",
    "TrainedRun": "charrnn.interface.trained",
    "Trainer": "charrnn.training.trainer",
    "evaluate": "charrnn.judging.evaluation",
    "load": "charrnn.interface.trained",
    "sample": "charrnn.sampling",
    "train": "charrnn.interface.learning",
}
"""The module of each name; all others are errors."""


def __getattr__(name: str) -> Any:
    # Loaded when first used, so that `charrnn --help` does not wait for NumPy.
    if name in __all__:
        return getattr(importlib.import_module(_HOMES.get(name, "charrnn.errors")), name)
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
