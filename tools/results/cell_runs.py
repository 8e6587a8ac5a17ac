"""One run of `cells.py`, in a process of its own on one core: a cell with so many parameters learns for so long.

    python tools/results/cell_runs.py '["prose", "harbour", "lstm", 0.005, 1, 60.0, 120000]'

prints what came of it as a line of JSON. The seconds are those of the processor, so that what others do on the machine
takes none of them away.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for `results`, as in the tests

from threadpoolctl import threadpool_limits

from charrnn import tasks
from charrnn.cli.common import library
from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config
from charrnn.errors import CharrnnError, DivergedError
from charrnn.nn.cells import CELLS
from charrnn.tasks.base import Task
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import batching_of, prepare

NO_FORGET_BIAS = "lstm, forget bias 0"
ENTRIES: dict[str, dict[str, Any]] = {cell: {"model.cell": cell} for cell in CELLS}
ENTRIES |= {NO_FORGET_BIAS: {"model.cell": "lstm", "model.forget_bias": 0.0}}
"""What is compared, with its settings: every cell, and the LSTM as it was before its forget gate began open."""
COMMON = {
    "train.threads": 1,
    "train.eval_chars": None,
    "data.split": [0.9, 0.05, 0.05],
    "model.init": "torch",
    "model.forget_bias": 1.0,
    "optim.clip_norm": 0.25,
    "optim.weight_decay": 0.1,
}
"""What is the same for all: much as in the recipe that is chosen (docs/decisions/0013-recipes.md), so that each cell
can have a high rate."""


class Job(NamedTuple):
    """What is to be run."""

    text: str
    """What it is called in the table."""
    source: str
    """A file, or a corpus by name."""
    entry: str
    rate: float
    seed: int
    seconds: float
    parameters: int


def hidden_size_for(task: Task, config: Config, parameters: int) -> int:
    """The number of units with which the network's parameters are nearest to so many."""

    def count(units: int) -> int:
        return task.model(dataclasses.replace(config.model, hidden_size=units)).num_parameters

    low, high = 1, 2
    while count(high) < parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    return min((low, high), key=lambda units: abs(count(units) - parameters))


def settings(job: Job) -> list[Setting]:
    """The configuration, but for the number of units."""
    values = COMMON | ENTRIES[job.entry] | {"optim.learning_rate": job.rate, "train.seed": job.seed}
    return [Setting(key, value, "here") for key, value in values.items()]


def run(job: Job) -> dict[str, Any]:
    """Trains, and judges on the validation part and on the test part; the losses are infinite where it diverged."""
    config, _ = resolve(settings(job))
    kind = tasks.find(config.task.name, config.data)
    examples = kind.read(library(), [job.source], config.data)
    units = hidden_size_for(kind.of(examples, config.data, batching_of(config)), config, job.parameters)
    config, _ = resolve([*settings(job), Setting("model.hidden_size", units, "here")])
    trained, split, _ = prepare(config, examples)
    began = time.process_time()

    def progress() -> float:
        return (time.process_time() - began) / job.seconds

    nats = dict.fromkeys(("validation", "test"), math.inf)
    with threadpool_limits(1, user_api="blas"):
        try:
            for _ in loop.updates(trained, split.train, alone(trained), progress):
                pass
            spent = time.process_time() - began
            for name in nats:
                judged = trained.task.judge(trained.model, trained.weights, getattr(split, name), lambda: False)
                nats[name] = judged["nats"]
        except DivergedError:
            spent = time.process_time() - began
    return {
        "hidden_size": units,
        "num_parameters": trained.model.num_parameters,
        "iterations": trained.iteration,
        "passes": trained.iteration / len(split.train),
        "chars_per_s": trained.chars / spent,
        **nats,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(run(Job(*json.loads(sys.argv[1])))))
    except CharrnnError as error:
        raise SystemExit(str(error)) from None
