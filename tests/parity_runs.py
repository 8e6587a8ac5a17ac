"""Fixtures that train runs of the task of `parity_task`; the folders that need them have them in their conftest.py."""

import itertools
import random
from functools import partial

import parity_task
import pytest
from driving import as_process, started

from charrnn.config.schema import keys
from charrnn.tasks import TASKS

SMALL = {
    "task.name": "parity",
    "data.split": "[0.8,0.2,0]",
    "model.cell": "gru",
    "model.hidden_size": 8,
    "train.batch_size": 20,
    "train.seq_length": 8,
    "train.iterations": 120,
    "train.eval_every": 10,
    "train.checkpoint_every": 20,
    "train.seed": 6,
    "train.threads": 1,
    "optim.learning_rate": 0.05,
    "optim.schedule": "constant",
}
"""A run that learns the parity of `bits` by heart; the last batch of an epoch has more than ten empty rows."""


def words(run="run", **changes):
    """The command that begins a run in a folder with `bits.txt`, with changes."""
    settings = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    return ["train", "bits.txt", "-o", run, *(word for k, v in settings.items() for word in ("--set", f"{k}={v}"))]


@pytest.fixture
def parity(monkeypatch):
    """The task is in the table, and the configuration, which has read that already, may choose it."""
    name = keys()["task.name"]
    monkeypatch.setattr(name, "metadata", {**name.metadata, "choices": (*name.metadata["choices"], *parity_task.ROW)})
    for key, value in parity_task.ROW.items():
        monkeypatch.setitem(TASKS, key, value)


@pytest.fixture(autouse=True)
def strings(tmp_path):
    """285 strings of one to five bits, in `bits.txt`."""
    every = ["".join(bits) for length in range(1, 6) for bits in itertools.product("01", repeat=length)]
    drawn = random.Random(0).choices(every, k=285)
    (tmp_path / "bits.txt").write_text("\n".join(drawn) + "\n")
    return drawn


PROGRAM = (parity_task.__file__,)


@pytest.fixture
def process(tmp_path):
    """Runs charrnn with the task as a process of its own."""
    return partial(as_process, cwd=tmp_path, program=PROGRAM)


@pytest.fixture
def start(tmp_path):
    """Starts such a process and does not wait for it: a context manager, at whose end it is killed."""
    return partial(started, cwd=tmp_path, program=PROGRAM)


@pytest.fixture
def learn(charrnn, parity, tmp_path):
    """Trains in this process, and returns the directory of the run."""

    def run(name="run", **changes):
        charrnn(*words(name, **changes), "-q").ok()
        return tmp_path / name

    return run
