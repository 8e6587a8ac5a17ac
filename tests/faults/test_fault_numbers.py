"""Row 46: a loss or gradient that is infinite or not a number is never hidden, and never reaches the weights."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from driving import strict_json

from charrnn.nn.model import CharLM
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import RunDirectory
from charrnn.training import trainer as module
from charrnn.training.gradients import Alone
from charrnn.training.team import Team

ENDLESS = [np.nan, np.inf, -np.inf]
EXPLODING = ["optim.name=sgd", "optim.learning_rate=1e30", "optim.clip_norm=null", "model.hidden_size=8"]


def sets(*keys):
    return [word for key in keys for word in ("--set", key)]


@pytest.fixture
def spoil(monkeypatch):
    """Spoils the loss, or a gradient, of the calls with these numbers, counted from 1; tells how many there were."""

    def plant(calls, value=np.nan, what="loss"):
        real, count = CharLM.loss_and_grads, [0]

        def spoiled(self, params, batch, state, grads, *rest, **more):
            count[0] += 1
            loss, final = real(self, params, batch, state, grads, *rest, **more)
            if count[0] not in calls:
                return loss, final
            if what == "gradient":
                next(iter(grads.values())).flat[3] = value
                return loss, final
            for layer in final:  # a loss like this comes from a state like this
                layer["h"][...] = value
            return value, final

        monkeypatch.setattr(CharLM, "loss_and_grads", spoiled)
        return count

    return plant


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("value", ENDLESS)
@pytest.mark.parametrize("policy", ["stop", "skip", "rollback"])
def test_row_46_what_is_not_a_number_at_one_step_never_reaches_the_weights(
    train, spoil, tmp_path, policy, value, what, contents, metrics
):
    spoil([8], value, what)
    result = train("-o", "run", *sets(f"train.on_divergence={policy}", "train.iterations=12"))
    run = tmp_path / "run"
    if policy == "stop":
        result.fails(5, "diverged at iteration 8", "run/diverged.json", "optim.learning_rate")
        assert contents(run / "last.npz")[1]["iteration"] == 5
    else:
        result.ok()
        assert "diverged at iteration 8" in result.err
        _, meta = contents(run / "last.npz")
        assert meta["iteration"] == 12
        assert (meta["skipped"], meta["rollbacks"]) == ((1, 0) if policy == "skip" else (0, 1))
        assert [(line["skipped"], line["rollbacks"]) for line in metrics(run)][-1] == (
            meta["skipped"],
            meta["rollbacks"],
        )
    for path in run.glob("*.npz"):
        loaded = checkpoints.load(path)  # which refuses what is not finite
        assert loaded.params.vector.any()
    report = strict_json((run / "diverged.json").read_text("utf-8"))
    assert report["iteration"] == 8


@pytest.mark.parametrize("policy", ["stop", "skip", "rollback"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_row_46_a_rate_of_1e30_ends_in_exit_code_5_under_every_policy(train, tmp_path, policy, optimizer):
    keys = [*EXPLODING, f"optim.name={optimizer}", f"train.on_divergence={policy}", "train.iterations=200"]
    result = train("-o", "run", *sets(*keys, "train.eval_every=500"))
    assert result.code == 5
    assert result.err.splitlines()[-1].startswith("charrnn: error: diverged at iteration ")
    assert "Warning" not in result.err
    for path in (tmp_path / "run").glob("*.npz"):
        checkpoints.load(path)


def test_row_46_a_skipped_window_changes_no_weight_and_every_line_counts_it(train, spoil, tmp_path, charrnn, text):
    spoil([3, 4, 8])
    words = sets("train.on_divergence=skip", "train.iterations=9", "train.checkpoint_every=1", "train.eval_every=4")
    result = charrnn(
        "train",
        text,
        *sets("model.hidden_size=8", "train.batch_size=4", "train.seq_length=8"),
        *words,
        "--seed",
        1,
        "-o",
        "run",
    ).ok()
    lines = [line for line in result.err.splitlines() if line.startswith("iteration")]
    assert [line.endswith("skipped") for line in lines] == [True] * len(lines)
    assert "3 skipped" in lines[-1]
    assert result.err.count("charrnn: warning: diverged") == 1
    assert checkpoints.load(tmp_path / "run" / "last.npz").skipped == 3


def test_row_46_skipping_keeps_weights_and_optimizer_and_empties_the_state(begin, spoil):
    run = begin(train__on_divergence="skip", train__iterations=4)
    spoil([2])
    kept = [{name: array.copy() for name, array in run.run.arrays().items()} for _ in run.records()]
    for name, array in kept[0].items():
        if name.startswith("state"):
            assert not kept[1][name].any()
        else:
            np.testing.assert_array_equal(kept[1][name], array)
    assert any(np.any(kept[2][name] != kept[1][name]) for name in kept[1])


def test_row_46_twenty_bad_windows_end_a_run_unless_a_good_one_is_among_them(begin, spoil):
    run = begin("one", train__on_divergence="skip", train__iterations=60)
    spoil(range(3, 60))
    with pytest.raises(module.DivergedError, match="20 batches before it were skipped"):
        list(run.records())
    assert run.run.iteration == 22


def test_row_46_bad_windows_that_are_not_in_a_row_do_not_end_a_run(begin, spoil):
    run = begin(train__on_divergence="skip", train__iterations=80)
    spoil([n for n in range(1, 80) if n % 15])
    assert len(list(run.records())) == 80
    assert run.run.skipped == 79 - 5


def test_row_46_a_run_of_skipped_windows_alone_has_no_loss_and_says_so(begin, spoil, tmp_path):
    run = begin(train__on_divergence="skip", train__iterations=5, data__split=[1, 0, 0])
    spoil(range(1, 9))
    list(run.records())
    (line,) = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert strict_json(line)["train_nats"] is None
    assert strict_json(line)["skipped"] == 5


def test_row_46_going_back_means_the_checkpoints_weights_and_half_the_rate(begin, spoil):
    run = begin(train__on_divergence="rollback", train__iterations=14, optim__schedule="constant")
    spoil([8])
    seen = [(record.iteration, record.learning_rate) for record in run.records()]
    rate = run.run.config.optim.learning_rate
    assert [n for n, _ in seen] == [*range(1, 8), *range(6, 15)]
    assert [r for _, r in seen] == [rate] * 7 + [rate / 2] * 9
    assert "back to iteration 5" in run.warnings[0]


def test_row_46_a_fourth_rollback_is_none(begin, spoil):
    run = begin(train__on_divergence="rollback", train__iterations=14)
    calls = spoil(range(8, 99))
    with pytest.raises(module.DivergedError, match="halved 3 times already"):
        list(run.records())
    assert [w.count("back to iteration 5") for w in run.warnings] == [1, 1, 1]
    assert calls[0] == 7 + 4


def test_row_46_before_the_first_checkpoint_there_is_one_to_go_back_to(begin, spoil):
    run = begin(train__on_divergence="rollback", train__iterations=6, train__checkpoint_every=100)
    spoil([2])
    assert [record.iteration for record in run.records()] == [1, 1, 2, 3, 4, 5, 6]
    assert run.run.rollbacks == 1


@pytest.mark.parametrize("killed_at", [6, 8, 9])
def test_row_46_a_run_killed_after_it_went_back_ends_like_one_that_was_not(begin, prose, monkeypatch, killed_at):
    real, now = Alone.norm, {}

    def bad_at_the_full_rate(gradients):
        run = now["run"].run
        return np.nan if run.iteration == 7 and not run.rollbacks else real(gradients)

    monkeypatch.setattr(Alone, "norm", bad_at_the_full_rate)
    settings = {"train__on_divergence": "rollback", "train__iterations": 14, "model__dropout": 0.2}
    whole = now["run"] = begin("whole", **settings)
    list(whole.records())
    killed = now["run"] = begin("killed", **settings)
    for record in killed.records():
        if record.rollbacks and record.iteration == killed_at:
            break
    killed.close()
    directory = RunDirectory(killed.directory.path, resume=True)
    checkpoint, _ = directory.newest()
    assert (checkpoint.iteration, checkpoint.rollbacks) == (5, 0)
    resumed = now["run"] = module.Trainer.resume(directory, checkpoint, checkpoint.config, prose)
    list(resumed.records())
    resumed.close()
    assert whole.run.rollbacks == 1
    ends = [(run.directory.path / "last.npz").read_bytes() for run in (whole, resumed)]
    assert ends[0] == ends[1]


def test_row_46_a_validation_loss_of_nan_rolls_back_and_else_ends_the_run(begin, monkeypatch):
    losses = iter([2.0, np.nan, 1.9, 1.8, 1.7, 1.6])
    monkeypatch.setattr("charrnn.tasks.language_model.evaluate", lambda *rest: next(losses))
    run = begin("one", train__on_divergence="rollback", train__iterations=15)
    list(run.records())
    assert run.run.rollbacks == 1
    assert "validation loss is nan" in run.warnings[0]
    losses = iter([2.0, np.inf])
    with pytest.raises(module.DivergedError, match="validation loss is inf"):
        list(begin("two", train__on_divergence="skip").records())


@pytest.mark.parametrize("processes", [1, 2])
def test_row_46_a_run_of_several_processes_goes_back_too(begin, monkeypatch, processes):
    run = begin(train__on_divergence="rollback", train__iterations=12, train__batch_size=4)
    run.plan = module.Plan(processes, 1)
    calls = [0]

    def spoiled(real):
        def norm(gradients):
            calls[0] += 1
            return np.nan if calls[0] == 8 else real(gradients)

        return norm

    for kind in (Alone, Team):
        monkeypatch.setattr(kind, "norm", spoiled(kind.norm))
    list(run.records())
    assert (run.run.iteration, run.run.rollbacks) == (12, 1)
    assert np.isfinite(run.run.params.vector).all()


def test_row_46_the_report_names_the_window_its_text_and_what_is_large(begin, spoil, tmp_path):
    run = begin(train__iterations=9)
    spoil([4], what="gradient")
    with pytest.raises(module.DivergedError):
        list(run.records())
    report = json.loads((tmp_path / "run" / "diverged.json").read_text("utf-8"))
    first = next(iter(report["parameters"]))
    assert report["parameters"][first]["largest_gradient"] is None
    assert all(p["largest_weight"] > 0 for p in report["parameters"].values())
    batch = run.split.train.batch(3)
    whole = "".join(run_text(run))
    for row in report["rows"]:
        assert row["text"] == run.run.task.vocabulary.decode(batch.x[:, row["row"]])
        assert whole[row["offset"] :].startswith(row["text"])
    nats = [row["nats"] for row in report["rows"]]
    assert nats == sorted(nats, reverse=True)
    assert min(nats) > 0


def run_text(run):
    ids = run.split.train.streams.ids
    return run.run.task.vocabulary.decode(ids.take(np.arange(len(ids))[:, None], mode="clip")[:, 0])


TASKS = {
    "classify": lambda n: f"{'yes' if n * n % 7 < 3 else 'no'}\t{n * 7919 % 1009}",
    "tag": lambda n: f"{n * 7919 % 1009:04}\t{n * n % 1009:04}",
    "transduce": lambda n: f"{n * 7919 % 1009}\t{n * n % 1009}",
    "generate": lambda n: f"{'yes' if n % 2 else 'no'}\t{n * n % 1009}",
}


@pytest.mark.parametrize("task", TASKS)
def test_row_46_every_task_knows_what_guessing_costs(charrnn, tmp_path, task):
    (tmp_path / "pairs.tsv").write_text("".join(TASKS[task](n) + "\n" for n in range(200)), "utf-8")
    words = ["train", "pairs.tsv", "--task", task, "--hidden-size", 6, "--batch-size", 4, "--iterations", 30, "-q"]
    charrnn(*words, "-o", "good").ok()
    charrnn(*words, "-o", "bad", "--lr", 1e4).fails(5, "diverged at iteration ", "--lr 0.01")
    assert not list((tmp_path / "bad").glob("best.npz"))


def test_row_46_a_run_that_diverged_says_what_to_do_when_it_is_resumed(train, spoil, tmp_path, charrnn):
    spoil(range(8, 99))
    said = train("-o", "run").fails(5, "diverged at iteration 8").err
    command = said.strip().rpartition(": ")[2]
    assert command == "charrnn train -o run --resume --lr 0.0002"
    again = train("-o", "run", "--resume")
    assert again.code == 5
    assert f"it diverged at iteration 8 the last time, and will again at this rate; to lower it: {command}" in again.err
    lower = charrnn(*command.split()[1:])
    assert "the last time" not in lower.err


@pytest.mark.parametrize("end", [["--more", 20], ["--iterations", 32], ["--more", "2m"]], ids=lambda end: end[0])
def test_row_46_a_run_that_was_given_more_to_do_is_told_how_to_do_it(train, tmp_path, charrnn, end):
    train("-o", "run").ok()
    said = charrnn("train", "-o", "run", "--resume", *end, "--lr", 1e4, "-q").fails(5, "diverged at iteration").err
    more = "2m" if end[1] == "2m" else "20"
    command = said.strip().rpartition(": ")[2]
    assert re.fullmatch(rf"charrnn train -o run --resume --lr 0\.01 --more ({more}|2m1s)", command)
    if more == "20":
        charrnn(*command.split()[1:]).ok()
        assert checkpoints.load(tmp_path / "run" / "last.npz").iteration == 32


def test_row_46_nothing_is_foretold_at_another_rate_nor_where_nothing_is_left(train, charrnn):
    train("-o", "run").ok()
    charrnn("train", "-o", "run", "--resume", "--more", 20, "--lr", 1e4, "-q").fails(5, "diverged at iteration")
    assert "the last time" not in charrnn("train", "-o", "run", "--resume").err
    assert "the last time" not in charrnn("train", "-o", "run", "--resume", "--more", 20).ok().err
