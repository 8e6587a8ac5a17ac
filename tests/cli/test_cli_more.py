"""More of a run: `--more`, what a complete run is told, and the last lines of one."""

from __future__ import annotations

import re
import shlex

import pytest

from charrnn.errors import ConfigError
from charrnn.runs import checkpoint as checkpoints
from charrnn.training.more import More, duration, parse

SMALL = ["--hidden-size", 6, "--batch-size", 4, "--seq-length", 8, "--seed", 1]
FILES = ("last.npz", "best.npz", "config.yaml")


@pytest.fixture
def run(charrnn, text):
    """Trains a small run of some length."""
    return lambda *length: charrnn("train", text, "-o", "run", "-q", *SMALL, *length).ok()


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("300", More(300, "iterations")),
        ("1,000", More(1000, "iterations")),
        ("5epochs", More(5, "epochs")),
        ("1 epoch", More(1, "epochs")),
        ("10m", More(600, "time_budget")),
        ("90s", More(90, "time_budget")),
        ("1h30m", More(5400, "time_budget")),
    ],
)
def test_an_amount_is_read_and_written_as_it_is_typed(typed, more):
    assert parse(typed) == more == parse(str(more))


@pytest.mark.parametrize(
    "typed", ["", "0", "-3", "0epochs", "many", "2.5epochs", "0s", "5 parsecs", "nan", "1e3", "2.5"]
)
def test_what_is_no_amount_says_what_one_is(charrnn, typed):
    with pytest.raises(ConfigError, match=r"as in 300.*as in 5epochs.*as in 10m"):
        parse(typed)
    charrnn("train", "-o", "run", "--resume", f"--more={typed}").fails(2, "--more")


def test_more_is_for_a_run_that_goes_on_and_there_is_one_end(charrnn, run, text):
    charrnn("train", text, "--more", "300").fails(2, "--more is for a run that is continued", "--resume")
    run("--iterations", 3)
    for other in (["--iterations", 9], ["--set", "train.epochs=9"], ["--time-budget", "9s"]):
        charrnn("train", "-o", "run", "--resume", "--more", 3, *other).fails(2, "--more 3 says when the run ends", "9")


@pytest.mark.parametrize(
    ("length", "more", "total"),
    [
        (["--iterations", 20], "300", ["--iterations", 320]),
        (["--epochs", 1], "2epochs", ["--epochs", 3]),
    ],
)
def test_more_is_a_new_total_to_the_bit(charrnn, run, tmp_path, length, more, total):
    charrnn_resumes = ["train", "-o", "run", "--resume", "-q"]
    ends = []
    for words in (["--more", more], total):
        run(*length, "--set", "model.dropout=0.2")
        charrnn(*charrnn_resumes, *words).ok()
        ends.append([(tmp_path / "run" / name).read_bytes() for name in FILES])
        (tmp_path / "run").rename(tmp_path / f"run-{len(ends)}")
    assert ends[0] == ends[1]


def test_more_is_beyond_what_is_done_and_not_beyond_what_was_planned(charrnn, run, tmp_path):
    run("--iterations", 100, "--set", "train.checkpoint_every=20")
    for name in ("last.npz", "best.npz"):  # as if it had been stopped there
        (tmp_path / "run" / name).unlink()
    (tmp_path / "run" / "prev.npz").rename(tmp_path / "run" / "last.npz")
    assert checkpoints.load(tmp_path / "run" / "last.npz").iteration == 80
    said = charrnn("train", "-o", "run", "--resume", "--more", 7).ok().err
    assert "resuming at iteration 80, and ending after 7 iterations more\n" in said
    assert checkpoints.load(tmp_path / "run" / "last.npz").iteration == 87


def test_more_epochs_in_the_middle_of_one_end_in_the_middle_of_another(charrnn, run, tmp_path):
    run("--iterations", 90)
    run_of = lambda: checkpoints.load(tmp_path / "run" / "last.npz")  # noqa: E731
    per_epoch = 90  # more than that many batches are not in an epoch of the text
    charrnn("train", "-o", "run", "--resume", "-q", "--more", "1epoch").ok()
    assert 0 < run_of().iteration - 90 < per_epoch


def test_more_time_is_beyond_the_time_that_it_took(charrnn, run, tmp_path):
    run("--iterations", 3)
    charrnn("train", "-o", "run", "--resume", "-q", "--more", "1s").ok()
    after = checkpoints.load(tmp_path / "run" / "last.npz")
    assert after.iteration > 3
    assert after.config.train.iterations is None
    assert 1 <= after.config.train.time_budget < 1 + after.elapsed


@pytest.mark.parametrize(
    ("length", "advised"),
    [
        (["--iterations", 20], "--more 20"),
        (["--epochs", 1], "--more 1epoch"),
        (["--iterations", 5, "--epochs", 50], "--more 5"),
        (["--epochs", 1, "--iterations", 5000], "--more 1epoch"),
        (["--time-budget", "1s", "--iterations", 100000], "--more 1s"),
    ],
)
def test_a_complete_run_is_told_to_do_as_much_again_in_the_unit_that_ended_it(charrnn, run, tmp_path, length, advised):
    run(*length)
    before = checkpoints.load(tmp_path / "run" / "last.npz").iteration
    said = charrnn("train", "-o", "run", "--resume", "-q").fails(2, "complete at iteration").err
    command = said.rpartition(": ")[2].strip()
    assert command.startswith("charrnn train -o run --resume --more ")
    assert command.endswith(advised) or advised == "--more 1s"
    charrnn(*shlex.split(command)[1:], "-q").ok()
    after = checkpoints.load(tmp_path / "run" / "last.npz").iteration
    assert after > before
    if "time" not in length[0]:
        assert after == 2 * before


def test_the_last_lines_say_where_the_best_was(charrnn, text, tmp_path):
    said = charrnn("train", text, "-o", "run", *SMALL, "--iterations", 40, "--set", "train.eval_every=10").ok().err
    best = checkpoints.load(tmp_path / "run" / "best.npz").iteration
    assert re.search(rf"^best validation loss: .* per character, at iteration {best} of 40$", said, re.M)
    assert "by heart" not in said


@pytest.mark.parametrize(
    ("length", "advised"),
    [(["--iterations", 400], r"--iterations \d+$"), (["--epochs", 100], r"--epochs \d+$")],
)
def test_a_text_that_is_learnt_by_heart_is_told_with_what_helps(charrnn, tmp_path, length, advised):
    (tmp_path / "noise.txt").write_text("".join(chr(97 + n * n * 7919 % 10007 % 23) for n in range(1500)), "utf-8")
    words = ["--hidden-size", 40, "--batch-size", 4, "--seq-length", 32, "--lr", 0.03, "--set", "train.eval_every=20"]
    said = charrnn("train", "noise.txt", "-c", "lstm", "-o", "run", "--seed", 1, *words, *length).ok().err
    line = next(line for line in said.splitlines() if "by heart" in line)
    assert re.search("more text, --dropout 0.3 or --hidden-size 20 or " + advised, line)
    best = checkpoints.load(tmp_path / "run" / "best.npz").iteration
    assert best < 0.5 * checkpoints.load(tmp_path / "run" / "last.npz").iteration


@pytest.mark.parametrize(("patience", "waited"), [(1, "evaluation"), (3, "3 evaluations")])
def test_a_run_that_its_patience_ended_says_so_and_what_helps(charrnn, tmp_path, patience, waited):
    (tmp_path / "noise.txt").write_text("".join(chr(97 + n * n * 7919 % 10007 % 23) for n in range(1500)), "utf-8")
    words = ["--hidden-size", 40, "--batch-size", 4, "--seq-length", 32, "--lr", 0.03, "--set", "train.eval_every=20"]
    ends = ["--iterations", 400, "--patience", patience]
    said = charrnn("train", "noise.txt", "-c", "lstm", "-o", "run", "--seed", 1, *words, *ends).ok().err
    last = checkpoints.load(tmp_path / "run" / "last.npz")
    assert last.iteration < 400
    chance = f"{last.to_beat:.4f} by more than chance, which is 0.02 here"
    assert f"\nended by train.patience: the last {waited} found nothing better than {chance}\n" in said
    if patience == 3:
        assert said.splitlines()[-2].endswith("what helps: more text, --dropout 0.3 or --hidden-size 20")


@pytest.mark.parametrize(("seconds", "typed"), [(0.2, "1s"), (90, "1m30s"), (3600, "1h"), (3599.5, "1h"), (61, "1m1s")])
def test_a_duration_is_written_as_it_is_typed(seconds, typed):
    assert duration(seconds) == typed


def test_what_ends_a_run_by_more_is_counted_from_what_is_done(charrnn, run, tmp_path):
    run("--iterations", 10)
    done = checkpoints.load(tmp_path / "run" / "last.npz")
    done.elapsed = 100.0
    ends = [More(60, "time_budget"), More(5, "iterations"), More(2, "epochs")]
    trains = [more.beyond(done, batches_per_epoch) for more in ends for batches_per_epoch in (5, 4)]
    found = [(train.time_budget, train.iterations, train.epochs) for train in trains]
    assert found == [
        *[(160.0, None, None)] * 2,
        *[(None, 15, None)] * 2,
        (None, None, 4),
        (None, 18, None),
    ]


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1epoch", "1 epoch"),
        ("2epochs", "2 epochs"),
        ("1", "1 iteration"),
        ("1200", "1,200 iterations"),
        ("90s", "1m30s"),
    ],
)
def test_how_much_more_is_said_in_words(amount, words):
    assert parse(amount).in_words() == words
