"""What is promised of a run holds for each task: the rows at the centre of the table, once more for all of them."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import pkgutil
import re
import shlex
import shutil
import signal

import numpy as np
import pytest
from crashing import (
    CHANGING,
    RESUME,
    Fault,
    Reference,
    killed_until_done,
    metrics_of,
    recorded,
    same_end,
    sample,
    strays,
)
from crashing import begin as begin_with
from driving import in_process
from interrupting import begin, config, differing, interrupt, leave, resume, to_the_end
from task_runs import ITEMS, written

from charrnn.cores import Plan
from charrnn.resources import CORPORA
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.places import CHECKPOINTS, LAST
from charrnn.tasks import TASKS, find
from charrnn.text.corpus import Library

LEARNT = {
    **{
        name: (written(ITEMS["classify" if name == "generate" else name]), {"task.name": name})
        for name in TASKS
        if name != "language_model"
    },
    "documents": ("".join(f"{word}\n" for _, word in ITEMS["classify"]), {"data.documents": "lines"}),
}
"""For each task, and for a language model of documents: what it learns from, and the keys that say so."""

SETTINGS = {
    "model.hidden_size": 3,
    "train.batch_size": 4,
    "train.seq_length": 10,
    "train.eval_chars": 200,
    "data.split": [0.8, 0.2, 0],
}
NOISY = {
    "model.dropout": 0.3,
    "model.zoneout_h": 0.1,
    "model.initial_state": "random",
    "model.embedding_size": 2,
    "optim.schedule": "linear",
    "optim.average": 0.9,
    "optim.warmup": 4,
}
every_task = pytest.mark.parametrize("task", LEARNT)
needs_fork = pytest.mark.skipif(os.name == "nt", reason="it has no fork and no SIGKILL")
needs_processes = pytest.mark.skipif(os.name != "posix", reason="one process alone where descriptors are not inherited")


def keys_of(task, **changes):
    """The keys of a tiny run of it, as those who begin runs take them."""
    settings = SETTINGS | LEARNT[task][1] | {name.replace("__", "."): value for name, value in changes.items()}
    return {name.replace(".", "__"): value for name, value in settings.items()}


def noisy(task):
    return keys_of(task, **{name.replace(".", "__"): value for name, value in NOISY.items()})


@pytest.fixture
def examples(tmp_path):
    """Reads what a task learns from, as the command line does."""

    def read(task):
        path = tmp_path / "examples.tsv"
        path.write_bytes(LEARNT[task][0].encode())
        settings = config(**keys_of(task))
        return find(settings.task.name, settings.data).read(Library(CORPORA, tmp_path), str(path), settings.data)

    return read


# --- rows 29 and 31: a run that is interrupted ------------------------------------------------------------------------


@every_task
@pytest.mark.parametrize("iterations", sample([6, 17], range(1, 30)))
def test_row_29_a_run_of_any_task_that_was_interrupted_is_the_run_that_was_not(
    no_sync, tmp_path, examples, task, iterations
):
    interrupt(tmp_path, iterations, examples(task), **noisy(task))


@every_task
def test_row_29_so_is_one_left_in_an_evaluation_which_it_then_begins_with(no_sync, tmp_path, examples, task):
    read, changes = examples(task), keys_of(task)
    whole = to_the_end(begin(tmp_path / "whole", read, **changes))
    assert leave(begin(tmp_path / "run", read, **changes), windows=1) == 7
    assert checkpoints.load(tmp_path / "run" / LAST).scores is None
    to_the_end(resume(tmp_path / "run", examples=read))
    assert differing(tmp_path / "run", whole) == set()


@needs_processes
@every_task
def test_row_29_so_is_one_of_two_processes_of_any_task(no_sync, tmp_path, examples, monkeypatch, task):
    monkeypatch.setattr("charrnn.training.trainer.plan", lambda run: Plan(2, 1))
    interrupt(tmp_path, [8], examples(task), **noisy(task))


@needs_processes
@every_task
def test_row_30_two_processes_learn_what_one_does_in_any_task(no_sync, tmp_path, examples, monkeypatch, task):
    read, nats = examples(task), []
    for number in (1, 2):
        monkeypatch.setattr("charrnn.training.trainer.plan", lambda run, n=number: Plan(n, 1))
        changes = noisy(task) | {"train__dtype": "float64"}
        run = to_the_end(begin(tmp_path / str(number), read, **changes))
        nats.append([[line.get(name) for name in ("train_nats", "val_nats", "grad_norm")] for line in metrics_of(run)])
    np.testing.assert_allclose(*(np.array(some, float) for some in nats), rtol=1e-9)


@every_task
def test_row_31_the_seed_alone_decides_a_run_of_any_task(no_sync, tmp_path, examples, task):
    read = examples(task)
    one, again, another = (
        to_the_end(begin(tmp_path / name, read, **noisy(task) | {"train__seed": seed}))
        for name, seed in (("one", 1), ("again", 1), ("another", 2))
    )
    assert differing(one, again) == set()
    assert differing(one, another) == {"last.npz", "best.npz", "metrics.jsonl"}


# --- rows 1 and 2: a run that is killed -------------------------------------------------------------------------------


def command(task, **changes):
    return begin_with(**keys_of(task, data__split="[0.8,0.2,0]", **changes))


def prepare(folder, task):
    folder.mkdir(parents=True)
    (folder / "text.txt").write_bytes(LEARNT[task][0].encode())
    return folder


def go_on(folder, task):
    return RESUME if any((folder / "run" / name).exists() for name in CHECKPOINTS) else command(task)


def iteration_of(checkpoint):
    with np.load(io.BytesIO(checkpoint)) as file:
        return json.loads(file["__meta__"].tobytes())["iteration"]


def undisturbed(forks, folder, task):
    log = recorded(forks, command(task), prepare(folder, task))
    contents = log.versions(*CHECKPOINTS)
    versions = {hashlib.sha256(content).hexdigest(): iteration_of(content) for content in contents}
    return Reference(folder / "run", log, versions)


@needs_fork
@every_task
@pytest.mark.parametrize("action", ["kill", "tear"])
@pytest.mark.parametrize("stride", sample(16, 1))
def test_row_01_killed_at_any_call_a_run_of_any_task_goes_on(forks, tmp_path, task, action, stride):
    reference, kills = undisturbed(forks, tmp_path / "undisturbed", task), 0
    stride = stride if action == "kill" else 1 + stride // 3
    for first in itertools.count(1 + stride // 2, stride):
        folder = prepare(tmp_path / "now", task)
        outcome = forks.run(
            command(task), folder, Fault(action, CHANGING if action == "kill" else "write", first=first)
        )
        if outcome.code == 0:
            break
        outcome.killed()
        kills += 1
        assert not reference.lost(folder / "run", outcome.saved), f"killed at call {first}"
        ended = forks.run(go_on(folder, task), folder)
        assert ended.code == 0 or "is complete" in ended.err
        assert same_end(folder / "run", reference.run), f"killed at call {first}"
        assert metrics_of(folder / "run") == metrics_of(reference.run)
        shutil.rmtree(folder)
    print(f"{kills} kills, 0 losses")
    assert kills >= (5 if action == "tear" else 40) // stride


@needs_fork
@pytest.mark.parametrize(
    ("task", "least"),
    [("transduce", 1), *(pytest.param(task, 50, marks=pytest.mark.long) for task in LEARNT)],
)
def test_row_02_killed_at_random_moments_a_run_of_any_task_ends_the_same(start, forks, tmp_path, task, least):
    changes = {"train__iterations": 40 + 40 * least, "train__checkpoint_every": 2, "train__eval_every": 3}
    whole, folder = prepare(tmp_path / "whole", task), prepare(tmp_path / "killed", task)
    forks.run(command(task, **changes), whole).ok()
    killed_until_done(start, command(task, **changes), folder / "run", least)
    assert same_end(folder / "run", whole / "run")
    assert metrics_of(folder / "run") == metrics_of(whole / "run")


# --- rows 32 and 34: a run that is stopped ----------------------------------------------------------------------------


@pytest.fixture
def guarded():
    """A signal that is sent to this process and that charrnn does not handle fails the test, and no more."""

    def nobody(number, frame):
        raise AssertionError(f"nobody handles {signal.Signals(number).name}")

    numbers = signal.SIGINT, signal.SIGTERM
    before = {number: signal.signal(number, nobody) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


MOMENTS = {
    "in the middle of an update": ("charrnn.nn.head.cross_entropy_", 8, 8),
    "in an evaluation": ("charrnn.nn.head.nats", 1, 5),
    "as the last is saved": ("charrnn.runs.directory.RunDirectory.save_last", 2, 10),
}
"""A function, which of its calls, and the iteration after which the run is saved."""


def stopped_on_its_way(tmp_path, task, moment, name):
    """Sends a signal at that moment, goes on as told, and compares the end."""
    place, call, iteration = MOMENTS[moment]
    changes = {"train__iterations": 12, "train__eval_every": 5, "train__checkpoint_every": 5}
    words = command(task, **changes, model__dropout=0.3)
    whole = prepare(tmp_path / "whole", task)
    run = prepare(tmp_path / "now", task) / "run"
    in_process(*words, "-q", cwd=whole).ok()
    function, calls = pkgutil.resolve_name(place), itertools.count(1)

    def signalled(*arguments, **options):
        if next(calls) == call:
            os.kill(os.getpid(), getattr(signal, name))
        return function(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, signalled)
        result = in_process(*words, "-q", cwd=run.parent)
    assert result.code == 128 + getattr(signal, name), result.err
    said = rf"charrnn: error: .*stopped by {name}.* at iteration {iteration}, and saved; continue with: (.+)\n"
    (advice,) = re.fullmatch(said, result.err).groups()
    assert checkpoints.load(run / LAST).iteration == iteration
    assert not strays(run)
    in_process(*shlex.split(advice)[1:], "-q", cwd=run.parent).ok()
    assert same_end(run, whole / "run")
    assert metrics_of(run) == metrics_of(whole / "run")


@pytest.mark.parametrize("moment", MOMENTS)
@every_task
def test_row_32_interrupted_a_run_of_any_task_goes_on_unchanged(tmp_path, guarded, task, moment):
    stopped_on_its_way(tmp_path, task, moment, "SIGINT")


@pytest.mark.skipif(os.name == "nt", reason="it has no SIGTERM")
@every_task
def test_row_34_terminated_in_an_evaluation_a_run_of_any_task_goes_on_unchanged(tmp_path, guarded, task):
    stopped_on_its_way(tmp_path, task, "in an evaluation", "SIGTERM")


# --- row 46: a loss that is no number ---------------------------------------------------------------------------------


@every_task
def test_row_46_weights_that_explode_end_a_run_of_any_task_in_its_next_evaluation(tmp_path, task):
    exploding = {"optim__learning_rate": 1e30, "train__on_divergence": "skip", "train__eval_every": 1}
    folder = prepare(tmp_path / "here", task)
    ended = in_process(*command(task, **exploding), "-q", cwd=folder)
    ended.fails(5, "diverged at iteration 1: the validation loss is")
    assert not list((folder / "run").glob("*.npz"))
