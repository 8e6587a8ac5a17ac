"""A run of too few updates learns nothing, however good its configuration: what makes more of the same text."""

from __future__ import annotations

import math

from charrnn import advice
from charrnn.config.schema import Config

TOO_FEW = 200
"""Updates below which a network has hardly learnt more than how often each character follows another.

Measured on prose of 60,000 and of 5,000 characters with the defaults, and with 64 and with 32 units in smaller batches:
after 100 updates the loss was that of pairs of characters, 2.3 nats, or above it; after 400 it was below in all."""

ENOUGH = 500
"""Updates that are advised: no text is learnt well by then, but each to some use."""

ROWS, STEPS = 8, 32
"""A batch size and a sequence length that are advised where those of the configuration are larger."""


def what_helps(config: Config, batches_per_epoch: int) -> str:
    """Returns the flags that make `ENOUGH` updates of the same examples: smaller batches first, then more epochs.

    `batches_per_epoch` is how many updates the examples make with the configuration as it is.
    """
    train, flags, per_epoch = config.train, [], float(batches_per_epoch)
    one_text = config.task.name == "language_model" and config.data.documents is None
    if train.accumulate > 1 and not train.iterations:
        flags.append(advice.setting("train.accumulate", 1))
        per_epoch *= train.accumulate
    if train.iterations and train.iterations < ENOUGH:
        flags.append(f"--iterations {ENOUGH}")
    elif train.batch_size > ROWS:
        per_epoch *= train.batch_size / ROWS
        flags.append(f"--batch-size {ROWS}")
    if not train.iterations and per_epoch * (train.epochs or 1) < ENOUGH and train.seq_length > STEPS and one_text:
        per_epoch *= train.seq_length / STEPS
        flags.append(f"--seq-length {STEPS}")
    if train.epochs and per_epoch * train.epochs < ENOUGH:
        flags.append(f"--epochs {math.ceil(ENOUGH / per_epoch)}")
    return " ".join(flags)


def remark(config: Config, batches_per_epoch: int, updates: int | None) -> list[str]:
    """Returns a line for a run of too few updates, with what helps; none where there are more, or the clock tells."""
    if updates is None or updates >= TOO_FEW:
        return []
    flags = what_helps(config, batches_per_epoch)
    number = "1 update is" if updates == 1 else f"{updates:,} updates are"
    return [f"{number} too few for a text to be learnt; try {flags}"]
