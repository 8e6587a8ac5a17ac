"""What is known of a window whose loss or gradient is infinite or not a number, for a person to look at."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from charrnn.nn import head
from charrnn.nn.parameters import Parameters
from charrnn.runs.run import Run
from charrnn.text.streams import Windows

MOST_ROWS = 8
"""Of the window, that are told: those with the largest loss."""


def report(run: Run, windows: Windows, what: str, grads: Parameters) -> dict[str, Any]:
    """The content of `diverged.json`, of the window that `run` stands before.

    What is not a number is null there, as JSON has no word for it.
    """
    batch, start = windows.batch(run.iteration), windows.start(run.iteration)
    logits, _ = run.model.forward(run.params, batch.x, run.state, batch.starts)
    with np.errstate(all="ignore"):
        nats = head.nats(logits, batch.y).mean(axis=0)  # (B,)
        worst = np.argsort(-np.nan_to_num(nats, nan=np.inf), kind="stable")[:MOST_ROWS].tolist()
        parameters = {
            name: {
                "largest_weight": _finite(np.abs(array).max()),
                "largest_gradient": _finite(np.abs(grads[name]).max()),
            }
            for name, array in run.params.items()
        }
    return {
        "what": what,
        "iteration": run.iteration + 1,
        "learning_rate_halved": run.rollbacks,
        "skipped": run.skipped,
        "last_good_grad_norm": run.grad_norm,
        "largest_state": _finite(max(np.abs(array).max() for layer in run.state for array in layer.values())),
        "parameters": parameters,
        "rows": [
            {
                "row": b,
                "offset": int(windows.streams.first[b]) + start,
                "nats_per_char": _finite(nats[b]),
                "text": run.vocabulary.decode(batch.x[:, b]),
            }
            for b in worst
        ],
    }


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
