"""`train.patience`: what is no improvement, when a run ends for want of any, and that it is as exact as all else."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.errors import ConfigError
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import RunDirectory
from charrnn.sweeping.looking_back import look
from charrnn.training import patience
from charrnn.training.more import as_much_again, parse
from charrnn.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("no_sync")


@pytest.fixture
def losses(monkeypatch):
    """Makes the validation losses of all evaluations to come those of a list, the last one again and again."""

    def give(*found):
        left = list(found)
        monkeypatch.setattr(
            "charrnn.tasks.language_model.evaluate", lambda *rest: left.pop(0) if len(left) > 1 else left[0]
        )

    return give


def to_the_end(trainer):
    for _ in trainer.records():
        pass
    return trainer.run


def resumed(place, prose, more=None, **train):
    """A run that goes on in a place, with other keys of the section `train`."""
    directory = RunDirectory(place, resume=True)
    run, _ = directory.newest()
    config = dataclasses.replace(run.config, train=dataclasses.replace(run.config.train, **train))
    try:
        return Trainer.resume(directory, run, config, prose, more)
    except ConfigError:
        directory.close()
        raise


def bytes_of(place):
    return {name: (place / name).read_bytes() for name in ("last.npz", "best.npz")}


def test_it_ends_after_so_many_evaluations_without_an_improvement(begin, losses):
    losses(3.0, 2.0, 2.5, 2.1, 2.2)
    run = to_the_end(begin(train__patience=3, train__iterations=100))
    assert (run.iteration, run.best, run.best_at) == (25, 2.0, 10)


def test_without_patience_nothing_but_its_length_ends_it(begin, losses):
    losses(3.0, 2.0, 2.5)
    assert to_the_end(begin(train__iterations=60)).iteration == 60


def test_what_is_better_by_less_than_chance_is_the_best_and_ends_it_all_the_same(begin, losses, tmp_path):
    trainer = begin(train__patience=3, train__iterations=100)
    step = 0.3 * patience.chance(len(trainer.split.validation))
    losses(2.0, 2.0 - step, 2.0 - 2 * step, 2.0 - 3 * step, 2.0 - 3.5 * step)
    run = to_the_end(trainer)
    assert run.iteration == 20
    assert checkpoints.load(tmp_path / "run" / "best.npz").iteration == 20


def test_small_steps_add_up_to_an_improvement(begin, losses):
    trainer = begin(train__patience=2, train__iterations=100)
    step = 0.6 * patience.chance(len(trainer.split.validation))
    losses(*[2.0 - n * step for n in range(10)], 3.0)
    assert to_the_end(trainer).iteration == 55  # every second step is an improvement; two evaluations are none


def test_the_rate_knows_nothing_of_it(begin, losses, tmp_path):
    losses(2.0)
    to_the_end(begin("patient", train__patience=2, train__iterations=40, optim__schedule="cosine"))
    to_the_end(begin("long", train__iterations=40, optim__schedule="cosine"))
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("patient", "long")]
    rates = [[part for line in some[:3] for part in line.split(",") if "learning_rate" in part] for some in lines]
    assert rates[0] == rates[1]
    assert len(lines[0]) == 3


@pytest.mark.parametrize("left_at", [3, 5, 7, 10, 14, 15, 20])
def test_interrupted_anywhere_it_ends_where_it_would_have(begin, prose, tmp_path, left_at):
    settings = {"train__patience": 2, "train__iterations": 200, "optim__learning_rate": 0.5}  # soon it is none better
    whole = to_the_end(begin("whole", **settings))
    assert 20 < whole.iteration < 200
    trainer = begin("parts", **settings)
    for record in trainer.records():
        if record.iteration == left_at:
            trainer.saver.save()
            break
    trainer.close()
    again = resumed(tmp_path / "parts", prose)
    to_the_end(again)
    again.close()
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")


def test_a_run_of_more_patience_is_the_run_that_had_it_from_the_beginning(begin, losses, prose, tmp_path):
    ups_and_downs = 2.0, 2.5, 2.5, 1.5, 1.8, 1.8, 1.8
    losses(*ups_and_downs)
    to_the_end(begin("whole", train__patience=3, train__iterations=100))
    losses(*ups_and_downs)
    trainer = begin("parts", train__patience=2, train__iterations=100)
    assert to_the_end(trainer).iteration == 15
    trainer.close()
    again = resumed(tmp_path / "parts", prose, patience=3)
    assert to_the_end(again).iteration == 35
    again.close()
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")


def test_an_end_between_two_evaluations_is_none_that_counts(begin, prose, tmp_path):
    settings = {"train__patience": 4, "optim__schedule": "constant"}
    to_the_end(begin("whole", train__iterations=20, **settings))
    trainer = begin("parts", train__iterations=12, **settings)
    to_the_end(trainer)
    trainer.close()
    again = resumed(tmp_path / "parts", prose, iterations=20)
    to_the_end(again)
    again.close()
    runs = [checkpoints.load(tmp_path / name / "last.npz") for name in ("whole", "parts")]
    assert len({(run.to_beat, run.without_improvement) for run in runs}) == 1


def test_a_run_that_it_ended_is_complete_until_there_is_more_to_do(begin, losses, prose, tmp_path):
    losses(2.0)
    trainer = begin(train__patience=2, train__iterations=100)
    to_the_end(trainer)
    assert trainer.progress.complete
    assert str(as_much_again(trainer.progress)) == "15"
    trainer.close()
    still = resumed(tmp_path / "run", prose, iterations=500)
    assert still.progress.complete
    still.close()
    again = resumed(tmp_path / "run", prose, parse("1000"))
    assert not again.progress.complete
    assert to_the_end(again).iteration == 25  # it waits anew, for as long
    again.close()


def test_one_that_is_judged_on_other_text_has_nothing_to_beat(begin, losses, prose, tmp_path):
    losses(2.0)
    trainer = begin(train__patience=3, train__iterations=12)
    to_the_end(trainer)
    trainer.close()
    again = resumed(tmp_path / "run", prose, eval_chars=10, iterations=20)
    assert (again.run.to_beat, again.run.without_improvement) == (None, 0)
    again.close()


def test_there_must_be_something_to_judge_by(begin, prose, tmp_path):
    with pytest.raises(ConfigError, match=r"train\.patience waits .* --patience null"):
        begin(train__patience=3, data__split=[1, 0, 0])
    trainer = begin(data__split=[1, 0, 0], train__iterations=3)
    to_the_end(trainer)
    trainer.close()
    with pytest.raises(ConfigError, match=r"train\.patience waits"):
        resumed(tmp_path / "run", prose, patience=3)


@pytest.mark.parametrize("written", [0, "often", 2.5])
def test_it_is_a_whole_number_of_evaluations(settle, written):
    with pytest.raises(ConfigError, match=r"train\.patience"):
        settle(train__patience=written)


def test_a_file_that_knows_nothing_of_it_has_none():
    assert resolve([])[0].train.patience is None


def test_chance_halves_with_four_times_as_many_answers():
    assert patience.chance(4000) == pytest.approx(patience.chance(1000) / 2)
    assert patience.chance(0) == patience.chance(1)


def test_a_copy_of_its_checkpoint_waits_on(begin, losses, tmp_path):
    losses(2.0)
    trainer = begin(train__patience=9, train__iterations=20)
    to_the_end(trainer)
    shutil.copy(tmp_path / "run" / "last.npz", tmp_path / "copy.npz")
    run = checkpoints.load(tmp_path / "copy.npz")
    assert (run.to_beat, run.without_improvement) == (2.0, 3)


def test_a_sweep_takes_a_run_that_it_ended_for_done(begin, losses, tmp_path):
    losses(2.0)
    run = to_the_end(begin(train__patience=2, train__iterations=100))
    assert look(tmp_path / "run", run.config.train).complete


@pytest.mark.skipif(os.name != "posix", reason="processes share a batch where they can be forked")
def test_a_team_ends_when_one_process_would(begin, losses):
    losses(3.0, 2.0, 2.5)
    assert to_the_end(begin(train__patience=3, train__iterations=100, train__layout="2x1")).iteration == 25


@pytest.mark.parametrize(
    ("updates", "told"),
    [
        (None, None),
        (61, None),  # it may end with the sixth evaluation, and the seventh was to come
        (60, "train.patience of 5 cannot end a run early that has 6 evaluations; to evaluate more often: "),
        (7, "train.patience of 5 cannot end a run early that has 1 evaluation; to evaluate more often: "),
    ],
)
def test_a_patience_that_a_run_cannot_use_up_is_told(updates, told):
    config = resolve([Setting("train.patience", 5, "here"), Setting("train.eval_every", 10, "here")])[0]
    lines = patience.remark(config, updates)
    assert (lines[0].partition("--")[0] if lines else None) == told


def test_the_way_to_evaluate_more_often_gives_patience_room():
    config = resolve([Setting("train.patience", 5, "here"), Setting("train.eval_every", 10, "here")])[0]
    every = int(patience.remark(config, 60)[0].rpartition("=")[2])
    train = dataclasses.replace(config.train, eval_every=every)
    assert patience.remark(dataclasses.replace(config, train=train), 60) == []


@pytest.mark.parametrize(("updates", "every"), [(10, 1), (10, 10), (3, 1), (3, 10), (2, 1), (1, 200)])
def test_where_updates_are_too_few_for_so_much_patience_less_of_it_is_advised(updates, every):
    config = resolve([Setting("train.patience", 9, "here"), Setting("train.eval_every", every, "here")])[0]
    words = patience.remark(config, updates)[0].rpartition(": ")[2].split()
    given = {"train.eval_every": every, **dict(word.split("=") for word in words if "=" in word)}
    assert words[0] == "--patience"
    assert int(given["train.eval_every"]) == 1 or updates < 3
    changed = dataclasses.replace(
        config.train,
        patience=None if words[1] == "null" else int(words[1]),
        eval_every=int(given["train.eval_every"]),
    )
    assert patience.remark(dataclasses.replace(config, train=changed), updates) == []
