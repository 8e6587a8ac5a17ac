"""`charrnn plan`: what it foresees is what `charrnn train` does."""

from __future__ import annotations

import os
import shlex

import numpy as np
import pytest

from charrnn.cli import common
from charrnn.cli import plan as plans
from charrnn.config.resolve import resolve
from charrnn.planning import timing
from charrnn.runs import checkpoint


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Times no longer than a test should take."""
    monkeypatch.setattr(timing, "SECONDS", 0.05)
    monkeypatch.setattr(timing.measure, "__defaults__", (0.05,))


@pytest.fixture
def plan(charrnn, text, tiny):
    return lambda *arguments, source=text: charrnn("plan", source, "-c", tiny, *arguments)


def last_metrics(metrics, run):
    return metrics(run)[-1]


@pytest.mark.parametrize(
    "ends",
    [
        ["train.iterations=7"],
        ["train.iterations=null", "train.epochs=1"],
        ["train.epochs=1", "train.iterations=9999"],
        ["train.epochs=2", "train.iterations=5", "train.eval_every=2"],
    ],
    ids=" ".join,
)
def test_updates_evaluations_and_parameters_are_those_of_the_run(plan, train, metrics, tmp_path, ends):
    sets = [f"--set={assignment}" for assignment in ends]
    foreseen = plan(*sets, "--json").ok().json
    train(*sets, "-o", "run").ok()
    lines = metrics(tmp_path / "run")
    run = checkpoint.load(tmp_path / "run" / "last.npz")
    assert foreseen["updates"] == lines[-1]["iteration"]
    assert foreseen["updates_are"] == "exact"
    assert foreseen["epochs"] == pytest.approx(lines[-1]["epoch"], abs=1e-4)
    assert foreseen["evaluations"] == sum("val_nats" in line for line in lines)
    assert foreseen["parameters"] == sum(array.size for array in run.params.values())
    assert foreseen["sha256"] == run.corpus.sha256
    assert foreseen["vocabulary"] == len(run.task.vocabulary)


def test_the_file_that_is_written_trains_what_was_planned(plan, charrnn, tmp_path, text):
    foreseen = plan("--set", "model.hidden_size=5", "-o", "plan.yaml", "--json").ok().json
    assert foreseen["file"] == "plan.yaml"
    config, _ = resolve(common.read_config(str(tmp_path / "plan.yaml")))
    assert config.model.hidden_size == 5
    words = shlex.split(foreseen["train"])
    assert words == ["charrnn", "train", str(text), "-c", "plan.yaml"]
    charrnn(*words[1:], "-q", "-o", "run").ok()
    run = checkpoint.load(tmp_path / "run" / "last.npz")
    assert (run.iteration, run.config) == (foreseen["updates"], config)


def test_the_command_without_a_file_has_the_options_of_the_plan(plan, text, tiny):
    options = ["--set", "data.split=[1,0,0]", "--time-budget", "2s", "--seed", "4"]
    foreseen = plan(*options, "--json").ok().json
    assert shlex.split(foreseen["train"]) == ["charrnn", "train", str(text), "-c", str(tiny), *options]


def test_a_plan_leaves_nothing_behind(plan, tmp_path):
    plan().ok()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_two_plans_are_alike_but_for_what_is_timed(plan):
    one, two = (
        plan("--json", "--set", "train.seed=null").ok().json,
        plan("--json", "--set", "train.seed=null").ok().json,
    )
    timed = {"chars_per_s", "seconds_per_update", "seconds_per_evaluation", "seconds", "ends_at", "memory_bytes"}
    assert {k: v for k, v in one.items() if k not in timed} == {k: v for k, v in two.items() if k not in timed}
    assert all(one[name] > 0 for name in timed - {"ends_at"})


def test_a_time_budget_ends_it_and_says_how_much_fits(plan):
    foreseen = plan("--time-budget", "1h", "--set", "train.iterations=null", "--json").ok().json
    assert foreseen["updates_are"] == "estimated"
    assert foreseen["seconds"] == 3600
    seconds = foreseen["updates"] * foreseen["seconds_per_update"]
    seconds += foreseen["evaluations"] * foreseen["seconds_per_evaluation"]
    assert 0 < seconds <= 3600 * 1.01  # and checkpoints take the rest
    assert 16 << 20 < foreseen["memory_bytes"] < 64 << 30
    assert foreseen["epochs"] == pytest.approx(foreseen["updates"] / foreseen["updates_per_epoch"])


def test_passes_that_do_not_fit_in_the_time_are_told(plan):
    sets = ["--set", "train.iterations=null", "--set", "train.epochs=1000000"]
    foreseen = plan("--time-budget", "2s", *sets, "--json").ok().json
    assert any("the time ends it before train.epochs does" in line for line in foreseen["warnings"])
    assert foreseen["epochs"] < 1000000


def test_a_budget_that_is_never_reached_changes_nothing(plan):
    foreseen = plan("--time-budget", "10h", "--set", "train.iterations=3", "--json").ok().json
    assert (foreseen["updates"], foreseen["updates_are"]) == (3, "exact")
    assert foreseen["seconds"] < 3600


@pytest.mark.parametrize("name", ["taken.yaml", "taken.txt", "-"])
def test_what_is_no_plan_is_never_overwritten(plan, tmp_path, name):
    (tmp_path / name).write_text("model: {hidden_size: 3}\n")
    assert plan("-o", name).code == 2
    assert (tmp_path / name).read_text() == "model: {hidden_size: 3}\n"


def test_a_plan_may_be_written_anew(plan, tmp_path):
    for size in (5, 6):
        plan("-o", "plan.yaml", "--set", f"model.hidden_size={size}").ok()
        assert f"hidden_size: {size}" in (tmp_path / "plan.yaml").read_text()


def test_a_plan_is_a_page_that_can_be_read(plan):
    shown = plan("--seed", "1").ok().text
    for name in (
        "text:",
        "characters:",
        "line ends:",
        "repeated:",
        "network:",
        "memory:",
        "speed:",
        "updates:",
        "time:",
    ):
        assert f"\n{name}" in f"\n{shown}"
    assert shown.splitlines()[-1].startswith("train it: charrnn train ")


# --- what is to be thought of ---


def warnings_of(charrnn, tmp_path, content, *options):
    (tmp_path / "a text.txt").write_bytes(content.encode())
    small = {"model.hidden_size": 4, "train.batch_size": 4, "train.seq_length": 8, "train.seed": 1}
    sets = [f"--set={key}={value}" for key, value in small.items()]
    return "\n".join(charrnn("plan", "a text.txt", *sets, "--json", *options).ok().json["warnings"])


WORDS = "".join(np.random.default_rng(1).choice(list("abcdefgh \n"), size=12_000))


def test_a_good_plan_has_nothing_to_think_of(charrnn, tmp_path):
    long = "".join(np.random.default_rng(1).choice(list("abcdefgh \n"), size=30_000))
    assert warnings_of(charrnn, tmp_path, long) == ""


@pytest.mark.parametrize(
    ("content", "options", "wanted"),
    [
        (WORDS, ["--set=train.iterations=20"], "20 updates are too few for a text to be learnt; try"),
        (WORDS[:3000], ["--set=model.hidden_size=150"], "for 2,700 characters to learn from: it will know"),
        (WORDS, ["--set=train.epochs=100", "--dropout=0"], "100 passes"),
        (WORDS + WORDS, [], "of what is validated on stands before, word for word"),
        (WORDS[:4000] * 2 + WORDS, [], "of the text is in passages that stand in it before"),
        (WORDS + "".join(map(chr, range(0x4E00, 0x4F00))) + WORDS, [], "occur less than 5 times"),
        (WORDS + "\x00\ufffd" + WORDS, [], "U+0000 (control, 1 times), U+FFFD (replacement, 1 times)"),
        (WORDS + "\r\n" + WORDS, [], "line ends of several kinds"),
        (WORDS, ["--set=data.split=[1,0,0]"], "nothing is validated on"),
        (WORDS, [], "characters to validate on are few"),
        (WORDS, ["--time-budget", "0.001s"], "the text is not read once"),
        (WORDS, ["--set=train.epochs=100000000"], "hours; to end it on the clock"),
    ],
)  # fmt: skip
def test_what_is_to_be_thought_of(charrnn, tmp_path, content, options, wanted):
    assert wanted in warnings_of(charrnn, tmp_path, content, *options)


def test_characters_to_validate_on_are_counted_as_such_where_some_are_spelled(charrnn, tmp_path):
    content = "".join(f"{chr(0x4E00 + n)} is one of them\n" for n in range(200))
    said = warnings_of(charrnn, tmp_path, content, "--set=data.min_count=5")
    assert f"{int(len(content) * 0.05) - 1} characters to validate on are few" in said


def test_the_options_against_too_few_updates_help(charrnn, tmp_path):
    options = ["--set=train.epochs=1", "--set=train.batch_size=16"]
    told = warnings_of(charrnn, tmp_path, WORDS, *options)
    advised = shlex.split(told.partition("; try ")[2].splitlines()[0])
    assert advised
    assert "too few" not in warnings_of(charrnn, tmp_path, WORDS, *options, *advised)


def test_labels_and_items_are_told(charrnn, tmp_path):
    rows = [f"{'ab'[i % 2]}\tword{i}" for i in range(80)] + ["c\tlonger words"] * 2
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n")
    sets = ["--set=task.name=classify", "--set=model.hidden_size=4", "--set=train.iterations=2", "--seed", "1"]
    found = charrnn("plan", "pairs.tsv", *sets, "--json").ok().json
    assert found["items"] == 82
    assert found["labels"] == {"a": 40, "b": 40, "c": 2}
    assert found["lengths"] == {"least": 5, "median": 6, "most": 12}
    assert found["repeated_share"] == pytest.approx(1 / 82)
    assert any("labels seen less than 5 times" in line and "'c'" in line for line in found["warnings"])
    shown = charrnn("plan", "pairs.tsv", *sets).ok().text
    assert "labels:      3: a 40, b 40, c 2" in shown


def test_documents_are_told(charrnn, tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"name{i}\n" for i in range(200)) + "name1\n" * 3)
    sets = ["--set=data.documents=lines", "--set=model.hidden_size=4", "--set=train.iterations=2"]
    found = charrnn("plan", "names.txt", *sets, "--json").ok().json
    assert (found["items"], found["compared"], "labels" in found) == (203, 203, False)
    assert found["repeated_share"] == pytest.approx(3 / 203)


def test_a_text_that_is_too_short_is_an_error_as_in_training(charrnn, tmp_path):
    (tmp_path / "short.txt").write_text("abc")
    charrnn("plan", "short.txt").fails(3, "too short")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0321, "32.1 ms"), (4.14, "4.1 s"), (61, "1m 01s"), (3599, "59m 59s"), (3600, "1h 00m"), (200000, "2d 7h")],
)
def test_durations_are_told_in_units_that_people_use(seconds, told):
    assert plans.duration(seconds) == told


@pytest.mark.skipif(os.name == "nt", reason="has no processes that share memory")
def test_batches_are_timed_with_the_processes_that_would_train(plan):
    foreseen = plan("--set", "train.batch_size=16", "--set", "train.layout=2x1", "--json").ok().json
    assert (foreseen["processes"], foreseen["blas_threads"], foreseen["memory_is"]) == (2, 1, "measured")
    assert "2 processes" in plan("--set", "train.batch_size=16", "--set", "train.layout=2x1").ok().text
