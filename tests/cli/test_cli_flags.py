"""Flags for the keys that everybody sets, and what is said of those that other programs have."""

from __future__ import annotations

import re
import shlex

import pytest

from charrnn.advice import setting
from charrnn.cli import flags
from charrnn.config.schema import keys, types_of_keys
from charrnn.config.synonyms import OTHERS
from charrnn.runs import checkpoint as checkpoints

VALUES = {
    "--epochs": (3, "3"),
    "--iterations": (7, "7"),
    "--time-budget": (90.0, "1m30s"),
    "--lr": (0.001, "1e-3"),
    "--optimizer": ("sgd", "sgd"),
    "--cell": ("gru", "gru"),
    "--hidden-size": (9, "9"),
    "--layers": (2, "2"),
    "--dropout": (0.5, "0.5"),
    "--batch-size": (5, "5"),
    "--seq-length": (11, "11"),
    "--task": ("classify", "classify"),
    "--seed": (4, "4"),
    "--patience": (6, "6"),
}
"""A value of each flag, and how it is typed."""


def shown(text, path):
    """Value and origin of a key in what `config show` prints."""
    section, _, name = path.partition(".")
    of_section = re.search(rf"^{section}:\n((?:  .*\n)*)", text, re.M)[1]
    return re.search(rf"^  {name}: (.*?) +# (.*)$", of_section, re.M).groups()


def test_every_flag_is_tried_here():
    assert VALUES.keys() == flags.FLAGS.keys()


@pytest.mark.parametrize("equals", [True, False])
@pytest.mark.parametrize("flag", VALUES)
def test_a_flag_sets_its_key_above_set_and_file_and_says_so(charrnn, tmp_path, flag, equals):
    path, (value, typed) = flags.FLAGS[flag], VALUES[flag]
    words = [f"{flag}={typed}"] if equals else [flag, typed]
    other = {"model.cell": "mgu", "task.name": "tag", "optim.name": "momentum", "model.dropout": 0.1}.get(path, 1)
    text = charrnn("config", "show", *words, "--set", f"{path}={other}").ok().text
    kept, origin = shown(text, path)
    assert (kept if isinstance(value, str) else float(kept)) == value
    assert origin == f"{flag} {typed}"


@pytest.mark.parametrize("flag", ["--hidden-size", "--lr", "--epochs", "--seed", "--dropout", "--cell"])
@pytest.mark.parametrize("value", ["-1", "many", ""])
def test_a_flag_is_checked_as_its_key_is(charrnn, text, flag, value):
    path = flags.FLAGS[flag]
    if value or flag not in ("--epochs", "--seed"):  # null is a value of these
        charrnn("train", text, flag, value).fails(2, f"{flag} {value}".strip(), f"{path} is ", "it must be ")


def test_help_of_a_flag_is_that_of_its_key(charrnn):
    words = " ".join(charrnn("train", "--help").text.split())
    for path in flags.FLAGS.values():
        text = keys()[path].metadata["help"].replace("`", "").partition(";")[0]
        assert text[1:] in words
        assert f"[{path}]" in words


def test_a_run_is_what_its_flags_say(charrnn, text, tmp_path):
    words = ["--hidden-size", 5, "--layers", 2, "--cell", "gru", "--batch-size", 3, "--seq-length", 6, "--lr", 0.02]
    charrnn("train", text, "-q", "-o", "run", *words, "--iterations", 4, "--optimizer", "sgd", "--dropout", 0.25).ok()
    config = checkpoints.load(tmp_path / "run").config
    assert (config.model.hidden_size, config.model.num_layers, config.model.cell) == (5, 2, "gru")
    assert (config.train.batch_size, config.train.seq_length, config.train.iterations) == (3, 6, 4)
    assert (config.optim.learning_rate, config.optim.name, config.model.dropout) == (0.02, "sgd", 0.25)
    assert config.train.epochs is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[(name, "--hidden-size") for name in ("--rnn_size", "--hidden_size", "--rnn-size", "--num-units")],
        *[(name, "--layers") for name in ("--num_layers", "--num-layers", "--n_layers", "--model.num_layers")],
        *[(name, "--lr") for name in ("--learning_rate", "--learning-rate", "--learningRate", "--optim.learning_rate")],
        *[(name, "--batch-size") for name in ("--batch_size", "--batch", "--train.batch_size")],
        *[(name, "--seq-length") for name in ("--seq_length", "--seq-len", "--bptt")],
        *[(name, "--epochs") for name in ("--max_epochs", "--num-epochs", "--num_epochs")],
        *[(name, "--iterations") for name in ("--max_iters", "--steps")],
        ("--time_budget", "--time-budget"),
        ("--rnn_type", "--cell"),
        ("--model", "--cell"),
        ("--optim", "--optimizer"),
        ("--grad_clip", "--set optim.clip_norm="),
        ("--clip-norm", "--set optim.clip_norm="),
        ("--weight-decay", "--set optim.weight_decay="),
        ("--eval_val_every", "--set train.eval_every="),
        ("--threads", "--set train.threads="),
        ("--encoding", "--set data.encoding="),
        ("--data_dir", "without an option"),
        ("--input-txt", "without an option"),
        ("--save_dir", "-o RUN_DIR"),
        ("--init_from", "--init-from"),
        ("--gpu", "cores"),
        ("--cuda", "cores"),
        ("--prime_text", "it is for `sample`"),
    ],
)
@pytest.mark.parametrize("value", [[], ["256"], None], ids=["alone", "value", "equals"])
def test_what_another_program_calls_it_is_told(charrnn, text, typed, meant, value):
    words = [f"{typed}=256"] if value is None else [typed, *value]
    charrnn("train", text, *words).fails(2, f"'{typed}'", meant, "charrnn train --help")


def test_every_key_that_is_typed_as_an_option_is_told(charrnn, text):
    for path in keys():
        name = path.partition(".")[2]
        value = True if types_of_keys()[path] in (bool, bool | None) else 1
        said = charrnn("train", text, f"--{path}", "1").fails(2, "it is ").err
        flag = next((flag for flag, key in flags.FLAGS.items() if key == path), f"`{setting(path, value)}`")
        assert f"it is `{flag} 1` here" in said or f"here: {flag}; see" in said
        if f"--{name}" not in flags.FLAGS and name != "name":
            charrnn("train", text, f"--{name}", "1").fails(2, name, "it is ")


def test_where_a_command_has_no_such_flag_the_key_is_told(charrnn):
    charrnn("gradflow", "--forget_bias", "2").fails(2, "`--set model.forget_bias=2`", "charrnn gradflow --help")
    charrnn("config", "show", "--rnn_size", "2").fails(2, "--hidden-size")


def test_what_means_nothing_is_no_such_option(charrnn, text):
    said = charrnn("train", text, "--wibble").fails(2, "No such option '--wibble'").err
    assert "it is" not in said
    charrnn("train", text, "--hiden-size", "3").fails(2, "; did you mean --hidden-size? see: ")
    charrnn("sample", "run", "--rnn_size", "3").fails(2, "No such option '--rnn_size'")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--temp 0.5", "it is `--temperature 0.5` here"),
        ("-temp 0.5", "it is `--temperature 0.5` here"),
        ("--num 30", "it is `--length 30` here"),
        ("-num 30", "it is `--length 30` here"),
        ("--start 'The sea'", "it is `--prompt 'The sea'` here"),
        ("-prime The", "it is `--prompt The` here"),
        ("--top_k=4", "it is `--top-k 4` here"),
        ("--max_new_tokens 5 --num_samples 2", "--length 5|--samples 2"),
        ("--ckpt x", "the run is named without an option"),
        ("--gpuid -1", "charrnn computes on the processor"),
        ("--sedd 3", "did you mean --seed"),
    ],
)
def test_what_another_program_calls_an_option_of_sample_is_told(charrnn, trained, typed, meant):
    words = shlex.split(typed)
    charrnn("sample", trained, *words).fails(2, words[0].partition("=")[0], *meant.split("|"), lines=1 + ("|" in meant))


def test_all_options_that_are_none_are_told_at_once(charrnn, text):
    words = ["-data_dir", "data", "-rnn_size", "16", "-e", "1", "-n", "30", "--seed", "-5"]
    said = charrnn("train", *words).fails(2, lines=4).err.splitlines()
    told = ["`charrnn train data`", "`--hidden-size 16`", "`--epochs 1`", "`--iterations 30`"]
    assert all(hint in line for hint, line in zip(told, said, strict=True))
    charrnn("train", text, "-help").fails(2, "No such option '-help'; it is --help here")
    charrnn("-V").fails(2, "No such option '-V'; it is --version here")
    charrnn("-V", "train", "--wibble").fails(2, "No such option '-V'")
    charrnn("config", "--wibble", "show", "--wobble").fails(2, "No such option '--wibble'")
    assert "'--debug'" not in charrnn("--debug", "train", "--wibble").err


def test_a_file_that_begins_with_a_dash_is_no_option(charrnn, text, tmp_path):
    (tmp_path / "-dash.txt").write_bytes(text.read_bytes())
    charrnn("train", "-dash.txt").fails(2, "No such option '-dash.txt'; what is called so is ./-dash.txt")
    charrnn("train", "./-dash.txt", "--iterations", 3).ok()
    charrnn("sample", "-dash-1").fails(2, "what is called so is runs/-dash-1")


def test_slips_in_the_names_of_files_and_runs_are_told(charrnn, text, tiny, tmp_path):
    (tmp_path / "novel.txt").write_bytes(text.read_bytes())
    (tmp_path / "plan.yaml").write_bytes(tiny.read_bytes())
    for typed in ("novle.txt", "Novel.txt", "novel.text", "novel"):
        charrnn("train", typed).fails(3, f"{typed}: no such file; did you mean novel.txt?")
    charrnn("train", "novel.txt", "-c", "plan.yml").fails(2, "plan.yml: no such config; did you mean plan.yaml?")
    charrnn("train", "novel.txt", "-c", "plan.yaml").ok()
    for typed in ("novel-1", "nove-1", "runs/nove-1"):
        charrnn("sample", typed).fails(4, f"{typed}: no such file; did you mean runs/novel-1?")
    charrnn("report", "runs").fails(4, "runs holds no run itself, but a run, runs/novel-1")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("config check x.yaml", "did you mean 'validate'?"),
        ("corpus ls", "id you mean 'list'?"),
        ("help", "`charrnn --help`"),
        ("help train", "`charrnn train --help`"),
        ("version", "`charrnn --version`"),
    ],
)
def test_what_others_call_a_command_is_told(charrnn, typed, meant):
    charrnn(*typed.split()).fails(2, "No such command", meant)


def test_no_word_is_said_to_mean_two_keys():
    words = [word for others in OTHERS.values() for word in others.split()]
    words += [word for others in flags.ELSEWHERE for word in others.split()]
    assert len(words) == len(set(words))
    assert set(flags.FLAGS.values()) <= set(keys())


def test_plan_takes_the_same_flags_and_train_does_what_it_says(charrnn, text, tmp_path):
    words = ["--hidden-size", 5, "--batch-size", 4, "--iterations", 3, "--lr", "0.02", "--seed", 2]
    planned = charrnn("plan", text, *words, "--json").ok().json
    assert planned["updates"] == 3
    charrnn(*shlex.split(planned["train"])[1:], "-q", "-o", "run").ok()
    config = checkpoints.load(tmp_path / "run" / "last.npz").config
    assert (config.model.hidden_size, config.optim.learning_rate, config.train.seed) == (5, 0.02, 2)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--bidirectional"], "--set model.bidirectional=true"),
        (["--bidirectional", "-q"], "--set model.bidirectional=true"),
        (["--bidirectional", "false"], "--set model.bidirectional=false"),
        (["--warmup", "-q"], "--set optim.warmup=VALUE"),
        (["--min-lr", "-3"], "--set optim.min_learning_rate=-3"),
    ],
)
def test_what_follows_a_foreign_flag_is_its_value_only_if_it_can_be(charrnn, words, meant):
    charrnn("train", "a.txt", *words).fails(2, f"`{meant}`")


def test_an_option_without_its_value_sends_to_the_help_of_its_command(charrnn):
    charrnn("train", "--lr").fails(2, "Option '--lr' requires an argument; see: charrnn train --help")
    charrnn("corpus", "--lr").fails(2, "see: charrnn corpus --help")
