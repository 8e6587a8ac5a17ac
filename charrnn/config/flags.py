"""The flags of commands that set a key of the configuration, such as `--lr` for `optim.learning_rate`."""

from __future__ import annotations

FLAGS = {
    "--epochs": "train.epochs",
    "--iterations": "train.iterations",
    "--time-budget": "train.time_budget",
    "--patience": "train.patience",
    "--lr": "optim.learning_rate",
    "--optimizer": "optim.name",
    "--cell": "model.cell",
    "--hidden-size": "model.hidden_size",
    "--layers": "model.num_layers",
    "--dropout": "model.dropout",
    "--batch-size": "train.batch_size",
    "--seq-length": "train.seq_length",
    "--task": "task.name",
    "--seed": "train.seed",
}
"""The key that each flag sets."""


def flag_of(key: str) -> str | None:
    """Returns the flag that sets a key; None where it has none."""
    return next((flag for flag, path in FLAGS.items() if path == key), None)
