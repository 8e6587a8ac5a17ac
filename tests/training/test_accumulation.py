"""Several batches for one update."""

from __future__ import annotations

import json

import numpy as np
import pytest
from task_runs import ITEMS, written

from charrnn import tasks
from charrnn.arrays import Batch
from charrnn.cores import Plan
from charrnn.nn.parameters import Parameters
from charrnn.resources import CORPORA
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import RunDirectory
from charrnn.text.corpus import Library
from charrnn.training import gradients, trainer
from charrnn.training.accumulation import UpdateBatches, answers_of
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer

WIDE = {"train__dtype": "float64"}


class Numbered:
    """Batches that are their own numbers, seven in an epoch."""

    def __len__(self):
        return 7

    def batch(self, iteration):
        return iteration


def test_the_last_update_of_an_epoch_reads_what_is_left_of_it():
    batches = UpdateBatches(Numbered(), 3)
    assert len(batches) == 3
    assert [batches.of(i) for i in range(5)] == [[0, 1, 2], [3, 4, 5], [6], [7, 8, 9], [10, 11, 12]]
    assert [batches.batch(i) for i in range(4)] == [0, 3, 6, 7]


def test_of_one_batch_each_an_update_is_a_batch():
    batches = UpdateBatches(Numbered(), 1)
    assert len(batches) == 7
    assert [batches.of(i) for i in range(9)] == [[i] for i in range(9)]


@pytest.fixture
def prepared(tmp_path, settle):
    """A run of a task before its first update, and its parts."""

    def of(task, **changes):
        config = settle(task__name=task, **{"model__initial_state": "learned", **WIDE, **changes})
        path = tmp_path / f"{task}.txt"
        path.write_text(written(ITEMS[task]))
        examples = tasks.find(task, config.data).read(Library(CORPORA, tmp_path / "cache"), [str(path)], config.data)
        return prepare(config, examples)

    return of


def by_hand(run, batches):
    """Loss, gradient and state after some batches, from the definition: a mean over all their answers."""
    loss, total, state = 0.0, np.zeros_like(run.params.vector), run.state
    for batch in batches:
        grads = Parameters.zeros(run.params.shapes, np.float64)
        nats, state = run.model.loss_and_grads(run.params, batch, state, grads)
        loss, total = loss + nats * batch.answers, total + grads.vector * batch.answers
    answers = sum(batch.answers for batch in batches)
    return loss / answers, total / answers, state


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("task", ITEMS)
def test_an_update_is_the_mean_over_all_answers_and_not_over_batches(prepared, task, processes):
    run, split, _ = prepared(task)
    batches = UpdateBatches(split.train, 3).of(0)
    assert len({batch.answers for batch in batches}) > 1  # else the two means would be one
    expected = by_hand(run, batches)
    with gradients.choose(run, Plan(processes)) as found:
        loss, _ = found.compute(batches, run.state, [0, 0, 0])
        assert loss == pytest.approx(expected[0], rel=1e-12)
        np.testing.assert_allclose(found.grads.vector, expected[1], rtol=0, atol=1e-14)
        assert found.norm() == pytest.approx(np.linalg.norm(expected[1]), rel=1e-12)


def test_batches_without_an_answer_that_counts_are_no_answer():
    nothing = Batch(np.zeros((2, 1), int), np.zeros((2, 1), int), None, np.zeros((2, 1)))
    three = Batch(np.zeros((3, 1), int), np.zeros((3, 1), int), None)
    assert answers_of([nothing, three, nothing]) == 3
    assert answers_of([nothing]) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_the_state_goes_through_the_batches_of_an_update(begin, processes):
    run = begin(model__initial_state="learned", **WIDE)
    read = UpdateBatches(run.split.train, 3).of(0)
    loss, vector, state = by_hand(run.run, read)
    with gradients.choose(run.run, Plan(processes)) as computing:
        found, after = computing.compute(read, run.run.state, [0, 0, 0])
        np.testing.assert_allclose(computing.grads.vector, vector, rtol=0, atol=1e-14)
    assert found == pytest.approx(loss, rel=1e-12)
    for mine, theirs in zip(after, state, strict=True):
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], rtol=0, atol=1e-14)


def test_real_time_recurrent_learning_accumulates_too(begin):
    """Its gradient reaches back beyond a batch: of two batches, that of one twice as long."""
    short = begin(
        "short", train__gradient="rtrl", train__accumulate=2, train__seq_length=4, train__iterations=1, **WIDE
    )
    long = begin("long", train__gradient="rtrl", train__seq_length=8, train__iterations=1, **WIDE)
    for run in (short, long):
        list(run.records())
    np.testing.assert_allclose(short.run.params.vector, long.run.params.vector, rtol=0, atol=1e-12)


def lines(run):
    return [json.loads(line) for line in (run.directory.path / "metrics.jsonl").read_text().splitlines()]


def test_an_iteration_is_an_update_and_an_epoch_is_read_once(begin):
    alone = begin("alone", train__iterations=None, train__epochs=2, train__eval_every=1)
    three = begin("three", train__iterations=None, train__epochs=2, train__eval_every=1, train__accumulate=3)
    for run in (alone, three):
        list(run.records())
    M = len(alone.split.train)
    assert M % 3  # so that the last update of an epoch has fewer
    assert alone.run.iteration == 2 * M
    assert three.run.iteration == 2 * -(-M // 3)
    assert three.run.chars == alone.run.chars
    assert lines(three)[-1]["epoch"] == lines(alone)[-1]["epoch"] == 2


@pytest.mark.parametrize("stop", [1, 7, 13])
def test_a_run_that_accumulates_is_resumed_to_the_bit(begin, prose, stop):
    changes = {"model__dropout": 0.3, "train__accumulate": 3, "train__checkpoint_every": 1000}
    whole, cut = begin("whole", **changes), begin("cut", **changes)
    list(whole.records())
    for record in cut.records():
        if record.iteration == stop:
            cut.saver.save()
            break
    cut.close()
    directory = RunDirectory(cut.directory.path, resume=True)
    saved = checkpoints.load(directory.path / "last.npz")
    again = Trainer.resume(directory, saved, saved.config, prose)
    list(again.records())
    again.close()
    assert (directory.path / "last.npz").read_bytes() == (whole.directory.path / "last.npz").read_bytes()


def test_each_batch_of_an_update_has_a_noise_of_its_own(begin, monkeypatch):
    seen = []
    real = trainer.gradients.Alone.compute

    def noting(alone, read, state, seeds):
        seen.append(seeds)
        return real(alone, read, state, seeds)

    monkeypatch.setattr(trainer.gradients.Alone, "compute", noting)
    list(begin(model__dropout=0.3, train__accumulate=2, train__iterations=2).records())
    assert [len(seeds) for seeds in seen] == [2, 2]
    assert len({seed for seeds in seen for seed in seeds}) == 4


def test_of_a_divergence_the_rows_of_all_batches_are_told(begin, monkeypatch):
    run = begin(train__accumulate=2, train__batch_size=2)
    monkeypatch.setattr("charrnn.training.hopeless.noted", lambda *given: "planted")
    with pytest.raises(Exception, match="planted"):
        list(run.records())
    rows = json.loads((run.directory.path / "diverged.json").read_text())["rows"]
    starts = {int(first) for first in run.split.train.streams.first}
    assert {row["offset"] for row in rows} == starts | {start + 8 for start in starts}
