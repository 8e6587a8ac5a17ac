"""Truncated backpropagation over a text, against a plain loop, and runs as a whole."""

from __future__ import annotations

import dataclasses
import json
import operator
import pkgutil

import numpy as np
import pytest

from charrnn.arrays import Batch
from charrnn.config.resolve import Setting, resolve
from charrnn.config.writing import to_dict
from charrnn.errors import CheckpointError, ConfigError, DataError, DivergedError
from charrnn.judging.evaluation import evaluate
from charrnn.nn.cells import CELLS
from charrnn.nn.model import CharLM
from charrnn.nn.parameters import Parameters
from charrnn.optim import OPTIMIZERS
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import RunDirectory
from charrnn.text.encoding import decode
from charrnn.training import loop
from charrnn.training.gradients import alone
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer


def everything(run):
    """All that training changes, as bytes."""
    c = run.run
    arrays = [c.params.vector, *c.slots.values(), *(array for layer in c.state for array in layer.values())]
    return c.iteration, c.rng.bit_generator.state, [array.tobytes() for array in arrays]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_losses_are_those_of_a_plain_loop(cell, dropout, settle, text):
    rate = {"optim__learning_rate": 0.05, "optim__schedule": "constant", "optim__clip_norm": 0.5}
    config = settle(model__cell=cell, model__num_layers=2, model__dropout=dropout, optim__name="momentum", **rate)
    checkpoint, split, _ = prepare(config, text)
    progress = lambda: checkpoint.iteration / 60  # noqa: E731
    updates = loop.updates(checkpoint, split.train, alone(checkpoint), progress)

    whole = "".join(text.pieces())
    characters = sorted(set(whole))
    N, B, T, V = len(whole), 3, 8, len(characters)
    length = (N - 2 * int(N * 0.05) - 1) // B
    ids = np.array([characters.index(c) for c in whole])
    model = CharLM(V, cell=cell, hidden_size=6, num_layers=2, dropout=dropout)
    rng = np.random.default_rng(1)
    params = model.init_params(rng)
    grads = Parameters.zeros(params.shapes, np.float32)
    velocity = np.zeros_like(params.vector)
    state = model.zero_state(B)
    epoch, window = 0, 0
    for update in updates:
        place = epoch % (length % T + 1) + window * T
        x = np.array([[ids[b * length + place + t] for b in range(B)] for t in range(T)])
        y = np.array([[ids[b * length + place + t + 1] for b in range(B)] for t in range(T)])
        noise = model.noise(np.random.default_rng(int(rng.integers(2**63))), T, B) if dropout else None
        loss, state = model.loss_and_grads(params, Batch(x, y, np.full(B, window == 0)), state, grads, noise)
        size = np.sqrt(np.sum(np.square(grads.vector, dtype=np.float64)))
        np.testing.assert_allclose((update.nats, update.grad_norm), (loss, size), rtol=1e-5)
        assert update.learning_rate == 0.05
        velocity = 0.9 * velocity + grads.vector * min(1, 0.5 / size)
        params.vector -= velocity * 0.05
        window += 1
        if window == length // T:
            epoch, window = epoch + 1, 0
    assert checkpoint.iteration == 60
    assert epoch >= 1
    np.testing.assert_allclose(checkpoint.params.vector, params.vector, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm_fgr"])
def test_weight_decay_shrinks_matrices_by_share_times_rate_and_no_vectors(cell, settle, text):
    """Beside the optimizer's update, which does not see it."""

    def after_one_update(weight_decay):
        options = {"model__cell": cell, "model__initial_state": "learned", "optim__weight_decay": weight_decay}
        options |= {"optim__learning_rate": 0.02, "optim__schedule": "constant"}
        checkpoint, split, _ = prepare(settle(train__dtype="float64", optim__name="momentum", **options), text)
        checkpoint.params.vector[...] = np.random.default_rng(0).normal(0, 0.5, checkpoint.params.vector.size)
        before = {name: array.copy() for name, array in checkpoint.params.items()}
        progress = lambda: checkpoint.iteration  # noqa: E731
        list(loop.updates(checkpoint, split.train, alone(checkpoint), progress))
        return before, checkpoint.params

    _, plain = after_one_update(0.0)
    before, decayed = after_one_update(0.3)
    matrices = {name for name, array in decayed.items() if array.ndim == 2}
    assert {name.rpartition(".")[2] for name in matrices} == {"W", "R"} if cell == "lstm_fgr" else {"W"}
    for name, array in decayed.items():
        if name in matrices:
            np.testing.assert_allclose(array, plain[name] - 0.02 * 0.3 * before[name], rtol=0, atol=1e-15)
            assert (array != plain[name]).any()
        else:
            np.testing.assert_array_equal(array, plain[name])


def test_a_weight_decay_of_zero_is_none_at_all(begin):
    runs = [begin("a", optim__weight_decay=0.0), begin("b"), begin("c", optim__weight_decay=0.01)]
    for run in runs:
        list(run.records())
    zero, none, some = (everything(run) for run in runs)
    assert zero == none
    assert some != none


def test_a_line_of_metrics_has_the_mean_loss_since_the_line_before(begin, monkeypatch):
    losses, exact = [], loop.updates
    monkeypatch.setattr(loop, "updates", lambda *a: (losses.append(u.nats) or u for u in exact(*a)))
    run = begin(train__iterations=47, train__eval_every=15)
    list(run.records())
    lines = [json.loads(line) for line in (run.directory.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == [15, 20, 30, 40, 45, 47]
    assert ["val_nats" in line for line in lines] == [True, False, True, False, True, True]
    for line, before in zip(lines, [0, 15, 20, 30, 40, 45], strict=True):
        assert line["train_nats"] == pytest.approx(np.mean(losses[before : line["iteration"]]), rel=1e-12)
        assert line["chars"] == line["iteration"] * 24


def test_evaluations_and_checkpoints_on_the_way_change_nothing_of_training(begin):
    # as many rows and as long windows as an evaluation has, so that the two share their workspace
    shared = {"model__dropout": 0.3, "train__batch_size": 1, "train__seq_length": 64, "data__split": [0.8, 0.2, 0]}
    often = begin("often", train__eval_every=1, train__checkpoint_every=1, **shared)
    never = begin("never", train__eval_every=1000, train__checkpoint_every=1000, **shared)
    assert [r.val_nats is not None for r in often.records()] == [True] * 20
    assert [r.val_nats is not None for r in never.records()] == [False] * 19 + [True]
    assert everything(often) == everything(never)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(begin):
    runs = [begin("a"), begin("b"), begin("c", train__seed=2)]
    for run in runs:
        list(run.records())
    a, b, c = [(run.directory.path / "last.npz").read_bytes() for run in runs]
    assert a == b
    assert a != c


@pytest.mark.parametrize("stop", [1, 5, 13, 19])
def test_a_run_resumed_is_bit_for_bit_the_run_that_was_not_interrupted(stop, begin, text):
    changes = {"model__dropout": 0.3, "optim__schedule": "cosine", "optim__warmup": 4, "train__iterations": 40}
    changes["train__checkpoint_every"] = 1000
    whole = begin("whole", **changes)
    list(whole.records())
    first = begin("cut", **changes)
    for record in first.records():
        if record.iteration == stop:
            first.saver.save()
        if record.iteration == stop + 7:  # with lines in metrics.jsonl that will be written anew
            break
    first.close()
    directory = RunDirectory(first.directory.path, resume=True)
    checkpoint = checkpoints.load(directory.path / "last.npz")
    assert checkpoint.iteration == stop
    second = Trainer.resume(directory, checkpoint, checkpoint.config, text)
    list(second.records())
    second.close()
    assert everything(second) == everything(whole)
    for name in ("last.npz", "best.npz"):
        assert (directory.path / name).read_bytes() == (whole.directory.path / name).read_bytes()

    def lines(run):
        kept = [json.loads(line) for line in (run.directory.path / "metrics.jsonl").read_text().splitlines()]
        return [line["iteration"] for line in kept], [line.get("val_nats") for line in kept]

    assert lines(second) == lines(whole)


def test_validation_nats_are_those_of_the_weights_and_best_is_the_lowest(begin):
    run = begin(train__iterations=40, optim__learning_rate=1.0, optim__name="rmsprop")
    told = []
    for record in run.records():
        if record.val_nats is not None:
            told.append(record.val_nats)
            c = run.run
            assert record.val_nats == evaluate(c.model, c.params, run.split.validation)
    assert min(told) != told[-1]  # else best and last would be the same
    best = checkpoints.load(run.directory.path / "best.npz")
    assert best.scores["nats"] == best.best == min(told)
    assert checkpoints.load(run.directory.path).iteration == best.iteration
    assert run.run.best == min(told)
    last = checkpoints.load(run.directory.path / "last.npz")
    assert (last.iteration, last.scores["nats"], last.best) == (40, told[-1], min(told))


def test_a_run_ends_after_its_epochs_or_iterations_whichever_is_first(begin):
    epochs = begin("a", train__iterations=None, train__epochs=2)
    both = begin("b", train__iterations=7, train__epochs=2)
    list(epochs.records())
    list(both.records())
    assert epochs.run.iteration == 2 * len(epochs.split.train)
    assert both.run.iteration == 7


@pytest.mark.parametrize("split_by", ["tail", "columns"])
def test_an_evaluation_reads_no_more_than_it_is_told_to(split_by, begin):
    run = begin(data__split_by=split_by, data__split=[0.5, 0.5, 0], train__eval_chars=60)
    whole = begin("all", data__split_by=split_by, data__split=[0.5, 0.5, 0], train__eval_chars=None)
    assert 57 <= len(run.split.validation) <= 60 < len(whole.split.validation)
    assert run.split.validation.first[0] == whole.split.validation.first[0]


def test_a_run_without_a_validation_text_has_no_evaluations_and_no_best(begin):
    run = begin(data__split=[1, 0, 0])
    assert all(record.val_nats is None for record in run.records())
    assert not (run.directory.path / "best.npz").exists()
    assert (run.directory.path / "last.npz").exists()


@pytest.mark.parametrize(("key", "value"), [("model.hidden_size", 7), ("train.batch_size", 4), ("optim.beta1", 0.5)])
def test_a_resumed_run_refuses_to_become_another(key, value, begin, text):
    run = begin()
    saved = [Setting(f"{s}.{k}", v, "run") for s, of in to_dict(run.run.config).items() for k, v in of.items()]
    config, _ = resolve(saved, [Setting(key, value, "--set")])
    with pytest.raises(ConfigError, match=f"{key} was .* and cannot become {value}"):
        Trainer.resume(run.directory, run.run, config, text)


def test_a_resumed_run_refuses_another_text_and_names_both(begin, text):
    run = begin()
    other = dataclasses.replace(text, name="another", sha256="f" * 64)
    with pytest.raises(CheckpointError, match=r"another .*sha256 ffffffffffff.* not what this run learns from, a text"):
        Trainer.resume(run.directory, run.run, run.run.config, other)


def test_a_text_of_one_character_has_nothing_to_predict(settle):
    with pytest.raises(DataError, match="one distinct character, 'a'"):
        prepare(settle(), decode([b"a" * 1000], "a text", "utf-8"))


# --- divergence ---


def loads(run):
    """The iterations of the checkpoints in the directory, every one of which must load."""
    found = {path.name: checkpoints.load(path) for path in run.directory.path.glob("*.npz")}
    assert all(np.isfinite(c.params.vector).all() for c in found.values())
    return {name: c.iteration for name, c in found.items()}


@pytest.mark.parametrize("learning_rate", [1e30, 1e60])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_far_too_high_diverges_and_what_was_saved_is_finite(name, learning_rate, begin):
    run = begin(optim__name=name, optim__learning_rate=learning_rate, train__checkpoint_every=1, train__eval_every=1)
    with pytest.raises(DivergedError, match=r"diverged at iteration \d+"):
        list(run.records())
    loads(run)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the test above is about them
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_exploding_gradient_leaves_behind_can_be_loaded(name, begin):
    run = begin(
        model__cell="rnn",
        model__activation="relu",
        model__init="uniform",
        model__init_scale=3.0,
        model__hidden_size=16,
        train__seq_length=24,
        train__checkpoint_every=1,
        optim__name=name,
        optim__clip_norm=None,
    )
    with pytest.raises(DivergedError):
        list(run.records())
    loads(run)


def test_an_update_that_is_not_a_number_never_reaches_the_weights(begin, monkeypatch):
    run = begin(train__checkpoint_every=1)
    exact = CharLM.loss_and_grads

    def poisoned(model, params, batch, state, grads, *rest, **more):
        result = exact(model, params, batch, state, grads, *rest, **more)
        if run.run.iteration == 7:
            grads["head.b"][1] = np.nan
        return result

    monkeypatch.setattr(CharLM, "loss_and_grads", poisoned)
    with pytest.raises(DivergedError, match=r"diverged at iteration 8: loss .*, gradient norm nan"):
        list(run.records())
    assert loads(run)["last.npz"] == 7
    saved = checkpoints.load(run.directory.path / "last.npz")
    np.testing.assert_array_equal(run.run.params.vector, saved.params.vector)
    assert run.run.iteration == 7


def test_weights_that_are_not_finite_are_not_saved(begin):
    run = begin()
    run.saver.save()
    run.run.params["head.W"][0, 0] = np.inf
    with pytest.raises(DivergedError, match="were not saved"):
        run.saver.save()
    assert loads(run) == {"last.npz": 0}


@pytest.mark.parametrize("slow", ["evaluate", "save_best", "save_last"])
def test_the_end_of_a_run_is_saved_however_long_what_comes_before_it_takes(slow, begin, monkeypatch):
    """The time may be up while an evaluation or a save goes on, and not only during an update."""
    now = [0.0]

    def slowly(function):
        def wrapped(*arguments):
            now[0] += 100
            return function(*arguments)

        return wrapped

    owner = {"evaluate": "charrnn.tasks.language_model.evaluate"}.get(
        slow, f"charrnn.runs.directory.RunDirectory.{slow}"
    )
    module, _, name = owner.rpartition(".")
    target = operator.attrgetter(name)(pkgutil.resolve_name(module))
    monkeypatch.setattr(owner, slowly(target))
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    run = begin(train__iterations=None, train__time_budget=50, train__eval_every=3, train__checkpoint_every=4)
    last = list(run.records())[-1]
    assert checkpoints.load(run.directory.path / "last.npz").iteration == last.iteration
    assert last.scores is not None
    assert run.progress.complete


def test_a_best_of_other_examples_is_forgotten_and_one_of_the_same_is_not(begin, text):
    options = {"data__split": [0.5, 0.5, 0], "train__eval_every": 2, "train__iterations": 6}
    first = begin(**options, train__eval_chars=60)
    list(first.records())
    best = first.run.best
    first.close()
    for most, kept in ((60, True), (50, False), (None, False)):
        directory = RunDirectory(first.directory.path, resume=True)
        run, _ = directory.newest()
        train = dataclasses.replace(run.config.train, eval_chars=most, iterations=9)
        second = Trainer.resume(directory, run, dataclasses.replace(run.config, train=train), text)
        assert second.run.best == (best if kept else None)
        second.close()


def test_a_rollback_does_not_bring_back_a_best_of_other_examples(begin, text, monkeypatch):
    options = {"data__split": [0.5, 0.5, 0], "train__on_divergence": "rollback", "train__iterations": 6}
    first = begin(**options, train__eval_chars=60, train__eval_every=3, train__checkpoint_every=3)
    list(first.records())
    first.close()
    directory = RunDirectory(first.directory.path, resume=True)
    run, _ = directory.newest()
    train = dataclasses.replace(run.config.train, eval_chars=50, iterations=9, eval_every=100)
    second = Trainer.resume(directory, run, dataclasses.replace(run.config, train=train), text)
    second.divergence.roll_back(DivergedError("made up"))
    assert second.run.best is None
    second.close()


def test_an_update_is_told_how_many_were_made_before_and_skipped_ones_do_not_count(settle, text):
    run, split, _ = prepare(settle(optim__name="adam"), text)
    run.iteration, run.skipped, run.slots["count"][0] = 5, 2, 3
    gradients, steps = alone(run), []
    update = gradients.update
    gradients.update = lambda step: (steps.append((step.made, step.number)), update(step))
    for _ in range(2):
        next(loop.updates(run, split.train, gradients, lambda: 0))
    assert steps == [(3, 4), (4, 5)]
    assert run.slots["count"][0] == 5


def test_where_a_gradient_cannot_be_computed_the_random_state_is_as_before(settle, text):
    run, split, _ = prepare(settle(model__dropout=0.5), text)
    gradients, before = alone(run), run.rng.bit_generator.state

    def fails(*arguments):
        raise MemoryError

    gradients.compute = fails
    with pytest.raises(MemoryError):
        next(loop.updates(run, split.train, gradients, lambda: 0))
    assert run.rng.bit_generator.state == before
