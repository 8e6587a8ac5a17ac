"""A task that the package has never heard of is trained, resumed and shared among processes as every other."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
from crashing import killed_until_done, metrics_of, same_end, sample
from interrupting import begin, interrupt, leave, resume, to_the_end
from parity_runs import SMALL, words
from parity_task import Bits

from charrnn.runs.checkpoint import load
from charrnn.runs.places import LAST

EVERY = range(1, 30)
PLAIN = {name.replace(".", "__"): value for name, value in SMALL.items()} | {
    "data__split": [0.8, 0.2, 0],
    "train__iterations": 30,
    "train__eval_every": 7,
    "train__checkpoint_every": 6,
}
NOISY = PLAIN | {
    "model__dropout": 0.2,
    "model__initial_state": "random",
    "optim__schedule": "plateau",
    "optim__patience": 1,
    "optim__average": 0.8,
}


@pytest.fixture
def bits(strings, parity):
    """The strings as read, 36 of them: a run has three epochs and a half."""
    return Bits("bits", 1, "a sum", strings[:150])


@pytest.mark.parametrize("iterations", sample([3, 6, 7, 12, 29], EVERY))
@pytest.mark.parametrize("changes", [PLAIN, NOISY], ids=["plain", "noisy"])
def test_a_run_interrupted_and_resumed_is_the_run_that_was_not(no_sync, tmp_path, bits, changes, iterations):
    assert interrupt(tmp_path, iterations, bits, **changes) == len(iterations)


def test_so_is_one_left_in_an_evaluation_which_it_then_begins_with(no_sync, tmp_path, bits):
    whole = to_the_end(begin(tmp_path / "whole", bits, **PLAIN))
    assert leave(begin(tmp_path / "run", bits, **PLAIN), windows=2) == 14
    assert load(tmp_path / "run" / LAST).scores is None
    run = to_the_end(resume(tmp_path / "run", examples=bits))
    assert same_end(run, whole)
    assert metrics_of(run) == metrics_of(whole)


@pytest.mark.skipif(os.name == "nt", reason="it has no SIGKILL")
@pytest.mark.parametrize("least", sample(2, 100))
def test_so_is_one_killed_at_random_moments(start, learn, tmp_path, least):
    changes = {"train__iterations": 40 + 40 * least, "train__checkpoint_every": 2, "train__eval_every": 3}
    whole = learn("whole", **changes)
    killed_until_done(start, words(**changes), tmp_path / "run", least)
    assert same_end(tmp_path / "run", whole)
    assert metrics_of(tmp_path / "run") == metrics_of(whole)


@pytest.mark.skipif(os.name == "nt", reason="it has no SIGTERM")
def test_so_is_one_that_was_terminated_which_saves_first(start, process, learn, tmp_path):
    changes = {"train__iterations": 1000, "train__eval_every": 500, "train__checkpoint_every": 500}
    run, whole = tmp_path / "run", learn("whole", **changes)
    with start(*words(**changes)) as running:
        while running.poll() is None and not ((run / "metrics.jsonl").exists() and metrics_of(run)):
            time.sleep(0.002)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 143
    assert b"and saved; continue with: charrnn train -o run --resume" in said
    assert 0 < load(run / LAST).iteration < 1000
    process("train", "-o", "run", "--resume").ok()
    assert same_end(run, whole)
    assert metrics_of(run) == metrics_of(whole)


@pytest.mark.skipif(os.name != "posix", reason="one process alone where descriptors are not inherited")
def test_two_processes_learn_what_one_does_every_time_the_same(learn):
    changes = {"train__dtype": "float64", "train__iterations": 30, "model__dropout": 0.2}
    one = learn("one", **changes)
    two, again = (learn(name, **changes, train__layout="2x1") for name in ("two", "again"))
    assert load(two).environment["cores"] == "2 processes"
    assert same_end(two, again)
    for name in ("train_nats", "val_nats", "grad_norm"):
        alone, shared = ([line.get(name) for line in metrics_of(run)] for run in (one, two))
        np.testing.assert_allclose(np.array(shared, float), np.array(alone, float), rtol=1e-9)
