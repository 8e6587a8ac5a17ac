"""What larger updates cost in loss: `python tools/experiments/large_batches.py [--epochs 8]`; two minutes.

It trains a small network on the shipped text for some epochs, with more and more answers in an update: by more rows, as
more ranks have them, and by `train.accumulate`. Each is tried at several learning rates, and the best counts. It prints
the table of docs/scaling.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from charrnn import tasks
from charrnn.cli import common
from charrnn.config.resolve import Setting, resolve
from charrnn.errors import DivergedError
from charrnn.training import loop
from charrnn.training.accumulation import UpdateBatches
from charrnn.training.gradients import alone
from charrnn.training.preparing import prepare

UNITS, STEPS = 32, 32
SHAPES = ((16, 1), (64, 1), (16, 4), (256, 1), (16, 16), (1024, 1), (16, 64))
"""Rows of a batch, and batches of an update."""
RATES = (0.02, 0.04, 0.08, 0.16)


class Learnt(NamedTuple):
    """Says what came of a run."""

    nats: float
    """The validation loss at its end."""
    rate: float
    updates: int


def learn(rows: int, accumulate: int, rate: float, epochs: int) -> Learnt:
    """Trains a network to the end."""
    values = {
        "model.hidden_size": UNITS,
        "train.seq_length": STEPS,
        "train.batch_size": rows,
        "train.accumulate": accumulate,
        "train.epochs": epochs,
        "train.seed": 1,
        "optim.learning_rate": rate,
    }
    config = resolve([Setting(key, value, "here") for key, value in values.items()])[0]
    examples = tasks.find(config.task.name, config.data).read(common.library(), ["harbour"], config.data)
    run, split, _ = prepare(config, examples)
    total = epochs * len(UpdateBatches(split.train, accumulate))
    try:
        for _ in loop.updates(run, split.train, alone(run), lambda: run.iteration / total):
            pass
    except DivergedError:
        return Learnt(float("inf"), rate, total)
    scores = run.task.judge(run.model, run.weights, split.validation, lambda: False)
    return Learnt(scores["nats"], rate, total)


def lines(epochs: int) -> Iterator[str]:
    """The table, as Markdown."""
    yield "| characters of an update | rows | `train.accumulate` | updates | best rate | validation loss, nats |"
    yield "| --: | --: | --: | --: | --: | --: |"
    for rows, accumulate in SHAPES:
        best = min(learn(rows, accumulate, rate, epochs) for rate in RATES)
        chars = rows * STEPS * accumulate
        yield f"| {chars:,} | {rows:,} | {accumulate} | {best.updates:,} | {best.rate:g} | {best.nats:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=8, help="passes over the text")
    for line in lines(parser.parse_args().epochs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
