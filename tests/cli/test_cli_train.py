"""`charrnn train`: what it leaves, from which texts, under which configuration."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from task_runs import ITEMS

from charrnn.cli.common import config_names
from charrnn.optim.options import OptimConfig
from charrnn.resources import CORPORA

METRICS = {"iteration", "epoch", "chars", "train_nats", "learning_rate", "grad_norm", "chars_per_s", "elapsed_s"}
METRICS |= {"skipped", "rollbacks"}


def config_of(run):
    return yaml.safe_load((run / "config.yaml").read_text("utf-8"))


def test_a_run_directory_holds_what_is_promised_and_nothing_else(train, tmp_path):
    train("-o", "run").ok()
    seen = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")}
    assert seen == {"last.npz", "best.npz", "prev.npz", "config.yaml", "metrics.jsonl"}
    assert not list((tmp_path / "run").glob("*.tmp*"))


def test_last_prev_and_best_are_what_they_are_called(train, tmp_path, metrics, contents):
    train("-o", "run", "--set", "optim.learning_rate=0.3").ok()
    run = tmp_path / "run"
    saved = {name: contents(run / f"{name}.npz")[1] for name in ("last", "prev", "best")}
    losses = {line["iteration"]: line["val_nats"] for line in metrics(run) if "val_nats" in line}
    assert (saved["last"]["iteration"], saved["prev"]["iteration"]) == (12, 10)
    assert set(losses) == {5, 10, 12}
    assert saved["best"]["iteration"] == min(losses, key=losses.get)
    assert saved["best"]["scores"]["nats"] == min(losses.values())


def test_metrics_have_the_promised_keys_and_val_nats_on_evaluations_alone(train, tmp_path, metrics):
    train("-o", "run", "--set", "train.iterations=65", "--set", "train.eval_every=30").ok()
    lines = metrics(tmp_path / "run")
    assert [line["iteration"] for line in lines] == [20, 30, 40, 60, 65]
    assert [line["iteration"] for line in lines if "val_nats" in line] == [30, 60, 65]
    for line in lines:
        assert set(line) - {"val_nats"} == METRICS
        assert line["chars"] == line["iteration"] * 4 * 8
        assert all(type(value) in (int, float) for value in line.values())


def test_the_epoch_of_the_metrics_counts_passes_over_the_training_text(train, tmp_path, metrics):
    train("-o", "run", "--set", "train.iterations=null", "--set", "train.epochs=1").ok()
    assert metrics(tmp_path / "run")[-1]["epoch"] == 1


def test_stdout_stays_empty_and_stderr_tells_the_story(charrnn, text, tiny):
    result = charrnn("train", text, "-c", tiny, "-o", "run").ok()
    assert not result.out
    lines = result.err.splitlines()
    assert lines[0].startswith(f"{text}: ")
    assert sum(line.startswith("iteration ") for line in lines) == 3
    assert lines[-1] == "let it write: charrnn sample run"


def test_quiet_is_silent(charrnn, text, tiny):
    result = charrnn("train", text, "-c", tiny, "-o", "run", "-q").ok()
    assert (result.out, result.err) == (b"", "")


def test_a_text_comes_from_stdin(charrnn, train, text, tmp_path, contents):
    train("-o", "piped", source="-", stdin=text.read_bytes()).ok()
    train("-o", "named").ok()
    piped, named = (contents(tmp_path / run / "last.npz") for run in ("piped", "named"))
    assert piped[0] == named[0]
    assert piped[1]["corpus"]["sha256"] == named[1]["corpus"]["sha256"]


def test_a_corpus_comes_by_name(train, tmp_path, contents):
    train("-o", "run", "--set", "train.iterations=1", "--set", "train.eval_every=100", source="harbour").ok()
    assert contents(tmp_path / "run" / "last.npz")[1]["corpus"]["size"] == (CORPORA / "harbour.txt").stat().st_size


def test_a_file_comes_before_a_corpus_of_the_same_name(train, text, tmp_path, contents):
    (tmp_path / "harbour").write_bytes(text.read_bytes())
    train("-o", "run", source="harbour").ok()
    assert contents(tmp_path / "run" / "last.npz")[1]["corpus"]["size"] == text.stat().st_size


def test_runs_are_numbered_by_their_text(train, text, tmp_path):
    for _ in range(2):
        train().ok()
    train(source="-", stdin=text.read_bytes()).ok()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"foxes-1", "foxes-2", "stdin-1"}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(train, tmp_path):
    for out, seed in (("a", 5), ("b", 5), ("c", 6)):
        train("-o", out, "--seed", seed, "--set", "model.dropout=0.3").ok()
    a, b, c = ((tmp_path / out / "last.npz").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_the_resolved_configuration_repeats_the_run(charrnn, train, text, tmp_path):
    train("-o", "first", "--set", "train.seed=null", "--set", "optim.learning_rate=1e-5").ok()
    charrnn("train", text, "-c", "first/config.yaml", "-o", "second").ok()
    assert (tmp_path / "first" / "last.npz").read_bytes() == (tmp_path / "second" / "last.npz").read_bytes()


def test_runs_without_a_seed_differ(train, tmp_path):
    for out in "ab":
        train("-o", out, "--set", "train.seed=null").ok()
    assert (tmp_path / "a" / "last.npz").read_bytes() != (tmp_path / "b" / "last.npz").read_bytes()


def test_a_time_budget_ends_the_run_and_the_schedule_with_it(train, tmp_path, metrics, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 200)  # each look at the clock takes 5 ms
    options = ["train.iterations=null", "train.eval_every=1000", "optim.schedule=cosine", "optim.learning_rate=0.01"]
    train("-o", "run", "--time-budget", "1s", *(word for key in options for word in ("--set", key))).ok()
    lines = metrics(tmp_path / "run")
    rates = [line["learning_rate"] for line in lines]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.005
    assert rates[-1] < 0.0002
    assert 1 <= lines[-1]["elapsed_s"] < 1.1


def test_cosine_ends_with_the_iterations_too(train, tmp_path, metrics):
    train("-o", "run", "--set", "optim.schedule=cosine", "--set", "train.iterations=100").ok()
    assert metrics(tmp_path / "run")[-1]["learning_rate"] < 0.001 * 2e-3


@pytest.mark.parametrize("name", config_names())
def test_every_shipped_config_trains_by_its_name(charrnn, text, pairs, tmp_path, name):
    keys = ["model.hidden_size=8", "train.batch_size=4", "train.seq_length=8", "train.iterations=2"]
    sets = [word for key in keys for word in ("--set", key)]
    task = yaml.safe_load(charrnn("config", "show", name).ok().out)["task"]["name"]
    source = pairs(task) if task in ITEMS else text
    charrnn("train", source, "-c", name, "-o", "run", "--seed", 3, *sets).ok()
    shown = yaml.safe_load(charrnn("config", "show", name, *sets, "--set", "train.seed=3").ok().out)
    assert config_of(tmp_path / "run") == shown


@pytest.mark.parametrize(
    ("words", "seed"),
    [
        (["-c", "seeded.yaml"], 3),
        (["-c", "seeded.yaml", "--set", "train.seed=4"], 4),
        (["-c", "seeded.yaml", "--set", "train.seed=4", "--set", "train.seed=6"], 6),
        (["-c", "seeded.yaml", "--seed", "5", "--set", "train.seed=4"], 5),
        (["--seed", "5", "-c", "seeded.yaml"], 5),
    ],
)
def test_flags_come_before_set_before_yaml_before_defaults(charrnn, text, tmp_path, words, seed):
    keys = "batch_size: 4, seq_length: 8, iterations: 1"
    (tmp_path / "seeded.yaml").write_text(f"train: {{{keys}, seed: 3}}\n")
    charrnn("train", text, "-o", "run", "--set", "model.hidden_size=8", *words).ok()
    config = config_of(tmp_path / "run")
    assert config["train"]["seed"] == seed
    assert config["train"]["batch_size"] == 4
    assert config["optim"]["learning_rate"] == OptimConfig().learning_rate


def test_the_time_budget_of_the_flag_comes_before_that_of_set(train, tmp_path):
    train("-o", "run", "--time-budget", "1m30s", "--set", "train.time_budget=5s").ok()
    assert config_of(tmp_path / "run")["train"]["time_budget"] == 90


def test_without_validation_text_there_is_no_best_and_last_is_used(charrnn, train, tmp_path, metrics):
    train("-o", "run", "--set", "data.split=[1,0,0]").ok()
    assert not (tmp_path / "run" / "best.npz").exists()
    assert not any("val_nats" in line for line in metrics(tmp_path / "run"))
    assert json.loads(charrnn("info", "run", "--json").ok().out)["checkpoint"].endswith("last.npz")


@pytest.mark.parametrize("options", [[], ["--init-from", "run"]], ids=["begin", "init-from"])
def test_a_directory_that_holds_a_run_is_never_overwritten(train, tmp_path, options):
    train("-o", "run").ok()
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.name != ".lock"}
    train("-o", "run", "--seed", 9, *options).fails(2, "run already holds a run", "--resume", "-o")
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.name != ".lock"} == before


@pytest.mark.parametrize("place", ["notes.txt/run", "notes.txt"])
def test_a_run_below_a_file_is_an_output_error(train, tmp_path, place):
    (tmp_path / "notes.txt").write_text("not a directory")
    train("-o", place).fails(6, place)


def test_an_empty_name_is_not_the_current_directory(train, tmp_path):
    train("-o", "").fails(2, "the name is empty")
    assert not [*tmp_path.iterdir()]


def test_numbered_runs_below_a_file_are_an_output_error(train, tmp_path):
    (tmp_path / "runs").write_text("not a directory")
    train().fails(6, "runs", "-o")


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_run_that_diverges_says_so_and_keeps_nothing_that_is_not_finite(train, tmp_path, activation):
    keys = ["optim.name=sgd", "optim.learning_rate=1e38", "optim.clip_norm=null", "train.checkpoint_every=1"]
    keys += ["model.cell=rnn", f"model.activation={activation}"]
    sets = [word for key in keys for word in ("--set", key)]
    train("-o", "run", *sets).fails(5, "diverged at iteration", "optim.learning_rate")


def test_a_language_model_of_what_looks_like_pairs_says_so(charrnn, tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"label{n % 2}\tword{n}\n" for n in range(300)))
    small = ("--set", "train.batch_size=2", "--set", "train.seq_length=8", "--set", "train.iterations=1")
    small += ("--set", "model.hidden_size=4")
    assert "each line has one tab, as pairs have" in charrnn("train", "pairs.tsv", "-o", "a", *small).ok().err
    (tmp_path / "text.txt").write_text("no tab in this line\n" + "one\tin this\n" * 300)
    assert "tab" not in charrnn("train", "text.txt", "-o", "b", *small).ok().err


def test_swapped_columns_are_suspected(charrnn, tmp_path):
    (tmp_path / "swapped.tsv").write_text("".join(f"word{n}\tlabel{n % 2}\n" for n in range(40)))
    task = ("--set", "task.name=classify", "-o", "run")
    charrnn("train", "swapped.tsv", *task).fails(3, "40, of which 2 differ; add some, or if the columns are swapped")
    whole = ("--set", "data.split=[1,0,0]")
    charrnn("train", "swapped.tsv", *task, *whole).fails(3, "40 labels for 2 different texts: are the columns swapped?")
    right = ("--set", "data.columns=[2,1]", "--set", "train.iterations=1", "--set", "model.hidden_size=4")
    charrnn("train", "swapped.tsv", *task, *right).ok()
