"""`charrnn config`: what holds and where it was said, and every mistake at once."""

from __future__ import annotations

import re

import pytest
import yaml

from charrnn.cli.common import config_names
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.config.writing import to_dict


def origins_of(shown):
    """Key to (value, origin) of what `config show` printed."""
    found, section = {}, ""
    for line in shown.splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
        else:
            name, value, origin = re.fullmatch(r"  (\w+): (.*?)\s+# (.*)", line).groups()
            found[f"{section}.{name}"] = value, origin
    return found


def test_show_prints_every_key_with_its_default(charrnn):
    result = charrnn("config", "show").ok()
    assert list(origins_of(result.text)) == list(keys())
    assert {origin for _, origin in origins_of(result.text).values()} == {"default"}
    assert yaml.safe_load(result.text)["model"] == to_dict(resolve()[0])["model"]


def test_show_says_where_each_value_came_from(charrnn, tmp_path):
    (tmp_path / "my.yaml").write_text(
        "# result\nmodel:\n  cell: gru\n  hidden_size: 64\noptim: {learning_rate: 1e-3}\n"
    )
    found = origins_of(charrnn("config", "show", "my.yaml", "--set", "model.hidden_size=32").ok().text)
    assert found["model.cell"] == ("gru", "my.yaml:3")
    assert found["model.hidden_size"] == ("32", "--set model.hidden_size=32")
    assert found["optim.learning_rate"] == ("0.001", "my.yaml:5")
    assert found["model.num_layers"] == ("1", "default")


def test_what_is_shown_is_a_config_that_means_the_same(charrnn, tmp_path):
    words = ["--set", "data.split=[0.8,0.1,0.1]", "--set", "train.time_budget=1h30m", "--set", "optim.eps=1e-12"]
    shown = charrnn("config", "show", *words, "--set", "optim.clip_norm=null").ok().text
    (tmp_path / "again.yaml").write_text(shown)
    again = charrnn("config", "show", "again.yaml").ok().text
    assert {key: value for key, (value, _) in origins_of(again).items()} == {
        key: value for key, (value, _) in origins_of(shown).items()
    }
    assert origins_of(again)["train.time_budget"][0] == "5400.0"


@pytest.mark.parametrize("name", config_names())
def test_every_shipped_config_is_valid_and_listed_with_what_it_reaches(charrnn, name):
    assert charrnn("config", "validate", name).ok().text == f"{name}: ok\n"
    line = next(line for line in charrnn("config", "list").ok().text.splitlines() if line.split()[0] == name)
    assert line.removeprefix(name).strip()


def test_validate_takes_several_and_tells_the_errors_of_all(charrnn, tmp_path):
    (tmp_path / "good.yaml").write_text("model: {cell: gru}\n")
    (tmp_path / "bad.yaml").write_text("model: {cel: gru}\n")
    (tmp_path / "worse.yaml").write_text("optim: {name: adm}\n")
    assert charrnn("config", "validate", "good.yaml", "good.yaml").ok().text == "good.yaml: ok\n" * 2
    result = charrnn("config", "validate", "bad.yaml", "worse.yaml")
    result.fails(2, "bad.yaml:1", "'model.cell'", "worse.yaml:1", "adam", lines=2)


def test_the_schema_knows_every_key(charrnn):
    schema = charrnn("config", "schema").ok().json
    known = [
        f"{section}.{name}"
        for section, entry in schema["properties"].items()
        for name in entry["properties"]
        if entry["properties"][name]["description"]
    ]
    assert known == list(keys())


def test_a_config_that_is_not_there_is_named_with_the_nearest(charrnn):
    name = config_names()[0]
    charrnn("config", "show", f"{name}x").fails(2, f"{name}x", repr(name))
    charrnn("config", "show", "nowhere.yaml").fails(2, "nowhere.yaml", "charrnn config list")


def test_a_file_comes_before_a_shipped_config_of_the_same_name(charrnn, tmp_path):
    name = config_names()[0]
    (tmp_path / name).write_text("model: {hidden_size: 77}\n")
    assert origins_of(charrnn("config", "show", name).ok().text)["model.hidden_size"] == ("77", f"{name}:1")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("model:\n  hiden_size: 8\n", ["bad.yaml:2", "'model.hiden_size'", "'model.hidden_size'"]),
        ("hidden_size: 8\n", ["bad.yaml:1", "'hidden_size'", "'model.hidden_size'"]),
        ("train:\n  lr: 1\nmodle: {}\n", ["bad.yaml:2", "'train.lr'", "bad.yaml:3", "'modle'", "'model'"]),
        ("optim:\n\n  learning_rate: fast\n", ["bad.yaml:3", "optim.learning_rate", "'fast'", "a number above 0"]),
        ("model: {cell: lstn}\n", ["bad.yaml:1", "'lstn'", "one of rnn, gru,", "did you mean 'lstm'?"]),
        ("model: {hidden_size: 8.5}\n", ["8.5", "a whole number"]),
        ("model: {hidden_size: yes}\n", ["'yes'", "a whole number"]),
        ("model: {hidden_size: true}\n", ["True", "a whole number"]),
        ("model: {hidden_size: [8]}\n", ["[8]", "a whole number"]),
        ("model: {hidden_size: null}\n", ["null", "a whole number"]),
        ("model: {dropout: 1}\n", ["model.dropout", "below 1"]),
        ("optim: {learning_rate: .inf}\n", ["optim.learning_rate", "a number"]),
        ("optim: {learning_rate: .nan}\n", ["optim.learning_rate", "a number"]),
        ("data: {split: [0.9, 0.2, 0.1]}\n", ["data.split", "add up to 1"]),
        ("data: {encoding: utf-ate}\n", ["data.encoding", "'utf-ate'", "utf-8"]),
        ("train: {time_budget: soon}\n", ["train.time_budget", "'soon'", "10m"]),
        ("train: {time_budget: true}\n", ["train.time_budget", "a duration"]),
        ("train: {epochs: null}\n", ["bad.yaml:1", "nothing ends the training"]),
        ("model: {cell: gru, activation: relu}\n", ["model.activation", "'gru'"]),
        ("optim: {min_learning_rate: 1}\n", ["optim.min_learning_rate", "optim.learning_rate"]),
        ("model: 5\n", ["bad.yaml:1", "'model'", "mapping"]),
        ("- model\n", ["bad.yaml:1", "mapping"]),
        ("model:\n  cell: gru\n  cell: lstm\n", ["bad.yaml:3", "'model.cell'", "line 2"]),
        ("model: {cell: gru}\ntrain: {}\nmodel: {}\n", ["bad.yaml:3", "'model'", "line 1"]),
        ("model: {cell: gru\n", ["bad.yaml:", "not YAML"]),
        ("model:\n\tcell: gru\n", ["bad.yaml:2", "not YAML"]),
        ("a: &x 1\nb: *x\n", ["bad.yaml:2", "aliases"]),
        ("model: {hidden_size: !!python/object:os.system 8}\n", ["bad.yaml", "model.hidden_size"]),
        ("model: {cell: \x07}\n", ["bad.yaml", "not YAML"]),
        ("\x00", ["bad.yaml", "not YAML"]),
    ],
)
def test_a_wrong_config_is_told_with_file_line_and_what_is_right(charrnn, train, tmp_path, content, parts):
    (tmp_path / "bad.yaml").write_text(content)
    lines = 2 if "modle" in content else 1
    charrnn("config", "validate", "bad.yaml").fails(2, *parts, lines=lines)
    charrnn("train", "harbour", "-c", "bad.yaml").fails(2, *parts, lines=lines)
    assert not (tmp_path / "runs").exists()


def test_all_mistakes_are_told_at_once_each_on_its_line(charrnn, tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "model:\n  hiden_size: 8\n  cell: lstn\nmodel: {}\noptim:\n  learning_rate: fast\ntrian: {seed: 1}\n"
    )
    result = charrnn("config", "validate", "bad.yaml")
    result.fails(2, "bad.yaml:2", "bad.yaml:3", "bad.yaml:4", "bad.yaml:6", "bad.yaml:7", lines=5)


def test_mistakes_in_the_file_the_assignments_and_the_flags_are_told_together(charrnn, tmp_path):
    (tmp_path / "bad.yaml").write_text("model: {hiden_size: 8}\n")
    words = ["-c", "bad.yaml", "--set", "optim.name=adm", "--time-budget", "soon", "--seed", "-3"]
    charrnn("train", "harbour", *words).fails(2, "bad.yaml:1", "--set optim.name=adm", "soon", "-3", lines=4)


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("model.hiden_size=8", ["'model.hiden_size'", "'model.hidden_size'"]),
        ("hidden_size=8", ["'hidden_size'", "'model.hidden_size'"]),
        ("model.hidden_size", ["--set model.hidden_size", "SECTION.KEY=VALUE"]),
        ("model.hidden_size=", ["null", "a whole number"]),
        ("model.hidden_size=eight", ["'eight'", "a whole number"]),
        ("data.split=[1,0", ["--set data.split", "not YAML"]),
        ("=8", ["unknown key ''"]),
    ],
)
def test_a_wrong_assignment_is_told(charrnn, assignment, parts):
    charrnn("config", "show", "--set", assignment).fails(2, *parts)


@pytest.mark.parametrize("what", ["directory", "bytes", "png"])
def test_what_is_no_text_is_no_config(charrnn, tmp_path, what):
    path = tmp_path / "odd.yaml"
    if what == "directory":
        path.mkdir()
    else:
        path.write_bytes({"bytes": b"model: {cell: \xff}", "png": b"\x89PNG\r\n\x1a\n\x00\x00"}[what])
    charrnn("config", "show", "odd.yaml").fails(2, "odd.yaml")


def test_a_config_with_a_byte_order_mark_and_crlf_is_read(charrnn, tmp_path):
    (tmp_path / "dos.yaml").write_bytes(b"\xef\xbb\xbfmodel:\r\n  cell: gru\r\n")
    assert origins_of(charrnn("config", "show", "dos.yaml").ok().text)["model.cell"] == ("gru", "dos.yaml:2")


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "model:\ntrain:\n"])
def test_an_empty_config_is_the_defaults(charrnn, tmp_path, content):
    (tmp_path / "empty.yaml").write_text(content)
    assert charrnn("config", "show", "empty.yaml").ok().text == charrnn("config", "show").ok().text
