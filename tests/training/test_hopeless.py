"""A loss that is a number and yet hopeless is divergence: three times what guessing costs, ten updates in a row."""

from __future__ import annotations

import math

import pytest

from charrnn.errors import DivergedError
from charrnn.nn.model import CharLM
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import RunDirectory
from charrnn.text.encoding import decode
from charrnn.training import hopeless
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer


@pytest.fixture
def losses(monkeypatch):
    """Lets training find these losses, by the number of the batch, and else those that there are."""
    exact, seen = CharLM.loss_and_grads, [0]

    def plant(by_update):
        seen[0] = 0

        def planted(self, *arguments, **more):
            loss, final = exact(self, *arguments, **more)
            seen[0] += 1
            return by_update.get(seen[0], loss), final

        monkeypatch.setattr(CharLM, "loss_and_grads", planted)

    return plant


def explode(run, factor=1e4):
    run.run.params.vector *= factor


def train(run, after):
    """Trains to the end, and does something after some iterations."""
    for record in run.records():
        after.get(record.iteration, lambda run: None)(run)


def kept(run):
    """The iterations of the checkpoints in the directory."""
    return {path.name: checkpoints.load(path).iteration for path in run.directory.path.glob("*.npz")}


@pytest.mark.parametrize("name", ["adam", "rmsprop", "momentum"])
@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_a_rate_of_a_thousand_diverges_at_once_and_leaves_nothing_good(begin, name, cell):
    run = begin(optim__learning_rate=1000, optim__name=name, model__cell=cell, train__checkpoint_every=1)
    with pytest.raises(
        DivergedError, match=r"diverged at iteration 1[12]: loss .*, after 9 as hopeless; guessing costs 3"
    ):
        list(run.records())
    assert kept(run).keys() <= {"last.npz", "prev.npz"}
    assert all(iteration <= 1 for iteration in kept(run).values())


@pytest.mark.parametrize("split", [[0.9, 0.05, 0.05], [1, 0, 0]])
@pytest.mark.parametrize("iterations", [2, 5])
def test_a_run_that_ends_hopeless_has_diverged_however_short_it_is(begin, iterations, split):
    run = begin(optim__learning_rate=1000, train__iterations=iterations, train__eval_every=100, data__split=split)
    with pytest.raises(DivergedError, match="more than 3 times worse than guessing"):
        list(run.records())
    assert not kept(run)


def test_ten_hopeless_losses_in_a_row_are_divergence_and_nine_are_not(begin, losses):
    losses(dict.fromkeys(range(4, 13), 99.0) | dict.fromkeys(range(14, 23), 99.0))
    assert len(list(begin("nine", train__iterations=30).records())) == 30
    losses(dict.fromkeys(range(4, 14), 99.0))
    run = begin("ten", train__iterations=30)
    with pytest.raises(DivergedError, match="iteration 13: loss 99"):
        list(run.records())


def test_what_is_hopeless_is_above_three_times_guessing_and_three_times_the_lowest(begin, losses):
    V = begin("any").run.model.num_outputs
    just, above = 2.999 * math.log(V), 3.001 * math.log(V)
    for number, (first, later, ends) in enumerate(
        [
            (math.log(V), just, False),
            (math.log(V), above, True),
            (0.1, just, False),
            (8.0, 23.9, False),
            (8.0, 24.1, True),
        ]
    ):
        losses({1: first} | dict.fromkeys(range(2, 60), later))
        run = begin(f"run-{number}", train__iterations=15)
        if ends:
            with pytest.raises(DivergedError, match="iteration 11"):
                list(run.records())
        else:
            list(run.records())


def test_hopeless_batches_are_skipped_and_twenty_of_them_end_the_run(begin, losses):
    losses(dict.fromkeys(range(4, 20), 99.0))
    run = begin("some", train__on_divergence="skip", train__iterations=30)
    list(run.records())
    assert run.run.skipped == 16 - 9
    losses(dict.fromkeys(range(4, 99), 99.0))
    run = begin("many", train__on_divergence="skip", train__iterations=60)
    with pytest.raises(DivergedError, match=r"iteration 33: .*20 batches before it were skipped"):
        list(run.records())


def test_a_rollback_goes_back_to_weights_that_were_good(begin):
    run = begin(train__on_divergence="rollback", train__iterations=30, optim__schedule="constant")
    records = run.records()
    for record in records:
        if record.iteration == 12 and not record.rollbacks:
            explode(run)
    assert run.run.rollbacks == 1
    assert "back to iteration 10," in run.warnings[0]
    assert kept(run)["last.npz"] == 30
    assert run.run.learning_rate == run.run.config.optim.learning_rate / 2
    assert run.run.hopeless_in_a_row == 0


def test_weights_that_explode_are_neither_best_nor_saved(begin):
    """Not even where it has not been seen yet: the last update of all is before an evaluation and a checkpoint."""
    run = begin(train__iterations=40)
    with pytest.raises(DivergedError, match="iteration 24:"):
        train(run, {14: explode})
    assert kept(run) == {"last.npz": 10, "prev.npz": 5, "best.npz": 10}
    best = checkpoints.load(run.directory.path / "best.npz")
    assert run.run.best == best.best < hopeless.limit(run.run)


def test_a_first_evaluation_that_is_hopeless_is_no_best(begin):
    run = begin(train__eval_every=3, train__checkpoint_every=3)
    records = run.records()
    for record in records:
        if record.iteration == 2:
            explode(run)
        if record.iteration == 6:
            break
    assert record.val_nats > hopeless.limit(run.run)
    assert run.run.best is None
    assert run.run.without_best == 2
    assert not kept(run)


def test_what_recovers_before_that_goes_on(begin):
    run = begin(train__iterations=30)
    good = None
    for record in run.records():
        if record.iteration == 6:
            good = run.run.params.vector.copy()
            explode(run)
        if record.iteration == 14:
            run.run.params.vector[...] = good
    assert kept(run)["last.npz"] == 30


def test_a_validation_text_of_which_nothing_was_learnt_is_no_divergence(tmp_path, settle):
    """A network that knows its training text by heart is sure of what is wrong in another."""
    text = decode([b"ab" * 1500 + b"bbbaaa" * 60], "a text", "utf-8")
    config = settle(
        optim__learning_rate=0.1,
        train__iterations=200,
        train__eval_every=200,
        data__split=[0.88, 0.12, 0],
        model__hidden_size=8,
    )
    run = Trainer.begin(RunDirectory(tmp_path / "run"), prepare(config, text))
    last = list(run.records())[-1]
    run.close()
    assert last.val_nats > hopeless.limit(run.run)
    assert kept(run).keys() >= {"last.npz", "best.npz"}


@pytest.mark.parametrize("settings", [{"model.dropout": 0.8}, {"train.batch_size": 1, "optim.learning_rate": 0.3}])
def test_noise_is_no_divergence(begin, settings):
    list(begin(train__iterations=60, **{k.replace(".", "__"): v for k, v in settings.items()}).records())


def test_stopping_does_not_save_what_is_hopeless(begin):
    run = begin()
    for record in run.records():
        if record.iteration == 7:
            explode(run)
            with pytest.raises(DivergedError, match="not saved"):
                run.saver.save()
            break
    assert kept(run)["last.npz"] == 5


def test_the_average_that_predicts_is_judged_too(begin):
    run = begin(optim__average=0.9, train__iterations=6, train__eval_every=3)

    def explode_average(run):
        run.run.average.vector *= 1e5

    with pytest.raises(DivergedError, match="not saved"):
        train(run, {5: explode_average})


def test_an_old_checkpoint_knows_no_lowest_loss_and_goes_on(begin):
    run = begin()
    run.run.lowest = None
    assert not hopeless.weights_are(run.run, run.run.params, run.split.train)
    assert hopeless.limit(run.run) == math.inf


def test_looking_at_weights_changes_nothing_of_the_run(begin):
    run = begin(model__dropout=0.3)
    list(run.records())
    before = checkpoints.to_bytes(run.run)
    run.run.lowest = 1e-9
    hopeless.weights_are(run.run, run.run.params, run.split.train)
    run.run.lowest = checkpoints.load(run.directory.path / "last.npz").lowest
    assert checkpoints.to_bytes(run.run) == before
