"""YAML files and `--set` to settings: what is read, and what every mistake is answered with."""

from __future__ import annotations

import pytest

from charrnn.config.reading import read_assignment, read_yaml
from charrnn.config.resolve import resolve
from charrnn.config.schema import Config
from charrnn.errors import ConfigError


def read(text):
    return resolve(read_yaml(text, "my.yaml"))[0]


def complaints(text):
    with pytest.raises(ConfigError) as error:
        read(text)
    assert all("\n" not in message for message in error.value.messages)
    return error.value.messages


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "model:\ntrain: {}\n", "model: ~"])
def test_a_file_that_says_nothing_leaves_the_defaults(text):
    assert read(text) == Config()


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 1e-3), ("1E-3", 1e-3), ("2e5", 2e5), ("+1.5", 1.5), (".5", 0.5), ("3", 3.0), ("1.", 1.0), ("1e+2", 100)],
)
def test_numbers_are_read_as_people_write_them(written, value):
    got = read(f"optim: {{learning_rate: {written}}}").optim.learning_rate
    assert (got, type(got)) == (value, float)
    assert resolve([read_assignment(f"optim.learning_rate={written}")])[0].optim.learning_rate == value


def test_whole_numbers_may_be_written_as_floats_and_leading_zeros_are_decimal():
    assert read("train: {batch_size: 1e2, seq_length: 010}").train.batch_size == 100
    assert read("train: {batch_size: 1e2, seq_length: 010}").train.seq_length == 10


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("'90'", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1h", 3600),
        ("1h2m3s", 3723),
        ("1.5m", 90),
        ("0.5", 0.5),
        ("null", None),
    ],
)
def test_durations(written, seconds):
    assert read(f"train: {{time_budget: {written}, epochs: 3}}").train.time_budget == seconds


@pytest.mark.parametrize(
    "written", ["0", "-5", "0s", "abc", "10 minutes", "m", "''", ".inf", ".nan", "30m1h", "1e400", "true", "[1]", "{}"]
)
def test_what_is_not_a_duration_is_refused(written):
    (message,) = complaints(f"train:\n  time_budget: {written}\n")
    assert message.startswith("my.yaml:2: train.time_budget is ")
    assert "it must be a duration" in message


MISTAKES = {
    # an unknown key, answered with the nearest
    "model: {hiden_size: 3}": ["my.yaml:1: unknown key 'model.hiden_size'; did you mean 'model.hidden_size'?"],
    "\nmodel:\n  learning_rate: 1": ["my.yaml:3: unknown key 'model.learning_rate'", "'optim.learning_rate'"],
    "modell: {}": ["my.yaml:1: unknown key 'modell'; did you mean 'model'?"],
    "hidden_size: 3": ["my.yaml:1: unknown key 'hidden_size'; did you mean 'model.hidden_size'?"],
    "zzzzzz: 3": ["unknown key 'zzzzzz'; `charrnn config schema` lists the keys"],
    "model: {<<: {cell: gru}}": ["unknown key 'model.<<'"],
    "? [a]\n: 3": ["my.yaml:1: unknown key '(not a word)'"],
    "model: {? {a: b} : 3}": ["my.yaml:1: unknown key 'model.(not a word)'"],
    # a key twice
    "model:\n  cell: gru\n  cell: rnn": ["my.yaml:3: 'model.cell' stands in line 2 already; remove one of the two"],
    "model: {cell: gru}\ntrain: {}\nmodel: {}": ["my.yaml:3: 'model' stands in line 1 already"],
    # a wrong type
    "model: {hidden_size: many}": ["my.yaml:1: model.hidden_size is 'many'; it must be a whole number at least 1"],
    "model: {hidden_size: '3'}": ["model.hidden_size is '3'"],
    "model: {hidden_size: 2.5}": ["model.hidden_size is 2.5"],
    "model: {hidden_size: true}": ["model.hidden_size is True"],
    "model: {hidden_size: null}": ["model.hidden_size is null"],
    "model: {hidden_size: [3]}": ["model.hidden_size is [3]"],
    "model: {hidden_size: 1_000}": ["model.hidden_size is '1_000'"],
    "model: {dropout: '0.5'}": ["model.dropout is '0.5'; it must be a number at least 0 and below 1"],
    "model: {dropout: true}": ["model.dropout is True"],
    "model: {layer_norm: 1}": ["model.layer_norm is 1; it must be true or false"],
    "model: {bidirectional: 'true'}": ["model.bidirectional is 'true'"],
    "model: {cell: 3}": ["model.cell is 3; it must be one of rnn"],
    "model: {cell: no}": ["model.cell is 'no'"],
    "model: {cell: {lstm: 1}}": ["model.cell is {'lstm': 1}"],
    "model: {cell: 2001-99-99}": ["model.cell is '2001-99-99'"],
    # out of range
    "model: {hidden_size: 0}": ["model.hidden_size is 0"],
    "model: {hidden_size: 65537}": [
        "model.hidden_size is 65537; it must be a whole number at least 1 and at most 65536"
    ],
    "model: {num_layers: 65}": ["model.num_layers is 65"],
    "model: {dropout: 1}": ["model.dropout is 1"],
    "model: {dropout: -.1}": ["model.dropout is -0.1"],
    "model: {zoneout_c: 1}": ["model.zoneout_c is 1; it must be a number at least 0 and below 1"],
    "model: {dropout_per: day}": ["model.dropout_per is 'day'; it must be one of step, window"],
    "optim: {weight_decay: -1e-9}": ["optim.weight_decay is -1e-09"],
    "model: {forget_bias: .inf}": ["model.forget_bias is inf"],
    "model: {forget_bias: .nan}": ["model.forget_bias is nan"],
    "optim: {learning_rate: 0}": ["optim.learning_rate is 0; it must be a number above 0"],
    "optim: {learning_rate: 1e999}": ["optim.learning_rate is inf"],
    "optim: {clip_norm: -1}": ["optim.clip_norm is -1; it must be a number above 0, or null"],
    "optim: {beta2: 1.0}": ["optim.beta2 is 1.0"],
    "train: {eval_chars: 1}": ["train.eval_chars is 1; it must be a whole number at least 2, or null"],
    f"model: {{hidden_size: {'9' * 5000}}}": ["my.yaml:1: model.hidden_size is "],
    f"model: {{hidden_size: !!int {'9' * 5000}}}": ["my.yaml:1: model.hidden_size is "],
    # the split
    "data: {columns: [1]}": ["data.columns is [1]; it must be two whole numbers from 1, as in [1, 2], or null"],
    "data: {columns: [0, 1]}": ["data.columns is [0, 1]"],
    "data: {columns: [true, 2]}": ["data.columns is [True, 2]"],
    "data: {columns: [1.5, 2]}": ["data.columns is [1.5, 2]"],
    "data: {documents: line}": ["data.documents is 'line'; it must be lines, files, a text that stands between"],
    "data: {documents: ''}": ["data.documents is ''"],
    "data: {documents: 3}": ["data.documents is 3"],
    "data: {test: 3}": ["data.test is 3; it must be text, or null"],
    "data: {split: [0.9, 0.1]}": ["data.split is [0.9, 0.1]; it must be three numbers that add up to 1"],
    "data: {split: [0.5, 0.1, 0.1]}": ["data.split is "],
    "data: {split: [0, 0.5, 0.5]}": ["data.split is "],
    "data: {split: [1.5, -0.5, 0]}": ["data.split is "],
    "data: {split: [.nan, 0.5, 0.5]}": ["data.split is "],
    "data: {split: 0.9}": ["data.split is 0.9"],
    "data: {split: null}": ["data.split is null"],
    "data: {split: '100'}": ["data.split is '100'"],
    "data: {split: [true, 0, 0]}": ["data.split is [True, 0, 0]"],
    "data: {split: ['1', 0, 0]}": ["data.split is ['1', 0, 0]"],
    # the encoding
    "data: {encoding: klingon}": ["data.encoding is 'klingon'; it must be 'bytes' or the name of an encoding"],
    "data: {encoding: rot13}": ["data.encoding is 'rot13'"],
    "data: {encoding: hex}": ["data.encoding is 'hex'"],
    'data: {encoding: "a\\0b"}': ["it must be 'bytes' or the name of an encoding"],
    "data: {encoding: null}": ["data.encoding is null"],
    # not two levels of mappings
    "[]": ["my.yaml:1: not a mapping; write sections such as 'model:' with keys below them"],
    "\n- model": ["my.yaml:2: not a mapping"],
    "model": ["my.yaml:1: not a mapping"],
    "\nmodel: 3": ["my.yaml:2: the section 'model' is not a mapping; write its keys below it"],
    "model: [cell]": ["my.yaml:1: the section 'model' is not a mapping"],
    # not YAML, or more than is wanted of it
    "model:\n\tcell: gru": ["my.yaml:2: not YAML", "'\\t'"],
    "model: {cell: gru": ["my.yaml:1: not YAML"],
    "a: b: c": ["my.yaml:1: not YAML"],
    "model: {}\n---\nmodel: {}": ["my.yaml:2: not YAML: but found another document"],
    "model: \x00": ["my.yaml: not YAML"],
    "[" * 1500: ["my.yaml"],
    "model: {hidden_size: " + "[" * 1500 + "]" * 1500 + "}": ["my.yaml"],
    "#" * (1 << 20) + "\n": ["my.yaml: larger than a configuration may be"],
    "model: &m {cell: gru}\ntrain: *m": ["my.yaml:2: aliases are not allowed; write the value again"],
    "model: &m [*m]": ["my.yaml:1: aliases are not allowed"],
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]": ["my.yaml:2: aliases are not allowed"],
    # tags
    "model: {cell: !!python/object/apply:os.getcwd []}": ["my.yaml:1: model.cell is '(a value that cannot be read)'"],
    "model: {hidden_size: !!int x}": ["my.yaml:1: model.hidden_size is "],
    "model: {hidden_size: !!int [1]}": ["my.yaml:1: model.hidden_size is "],
    "model: {hidden_size: !!bool maybe}": ["my.yaml:1: model.hidden_size is "],
    "model: {dropout: !!float {a: b}}": ["my.yaml:1: model.dropout is "],
    "model: {cell: !!timestamp foo}": ["my.yaml:1: model.cell is "],
    "model: {cell: !!binary é}": ["my.yaml:1: model.cell is "],
    "train: !!timestamp foo": ["my.yaml:1: the section 'train' is not a mapping"],
    # what no key can tell alone
    "model: {activation: relu}": ["my.yaml:1: model.activation is for the cell 'rnn', and model.cell is 'lstm'"],
    "optim:\n  learning_rate: 1e-3\n  min_learning_rate: 1e-2": ["my.yaml:3: optim.min_learning_rate 0.01 is above"],
    "train: {epochs: null}": ["my.yaml:1: nothing ends the training"],
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:40])
def test_a_mistake_is_one_line_with_its_place(text):
    (message,) = complaints(text)
    for part in MISTAKES[text]:
        assert part in message
    assert len(message) < 300


def test_all_mistakes_are_told_at_once_each_with_its_line():
    messages = complaints(
        "model:\n  hidden_size: 0\n  cell: gru\n  cell: rnn\n  hiden: 1\ntrain: 3\noptim:\n  momentum: 2\nextra: {}\n"
    )
    wanted = {2: "hidden_size is 0", 4: "stands in line 3", 5: "'model.hiden'", 6: "'train'", 8: "momentum", 9: "extra"}
    assert len(messages) == len(wanted)
    for line, part in wanted.items():
        assert [part in message for message in messages if message.startswith(f"my.yaml:{line}: ")] == [True]


def test_no_tag_runs_anything(tmp_path):
    marker = tmp_path / "marker"
    complaints(
        f"model: {{cell: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{marker}']]}}"
    )
    assert not marker.exists()


def test_an_assignment_is_a_setting_with_its_option_for_a_place():
    setting = read_assignment("data.split=[0.8, 0.1, 0.1]")
    assert setting == ("data.split", [0.8, 0.1, 0.1], "--set data.split=[0.8, 0.1, 0.1]")
    assert read_assignment("optim.clip_norm=null").value is None
    assert read_assignment("optim.clip_norm=").value is None
    assert read_assignment("data.encoding=a=b").value == "a=b"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.cell", "--set model.cell: no '='; write --set SECTION.KEY=VALUE"),
        ("model.cell=[", "--set model.cell:1: not YAML"),
        ("model.cell=*a", "aliases are not allowed"),
        ("cell=gru", "--set cell=gru: unknown key 'cell'; did you mean 'model.cell'?"),
        ("model={}", "--set model={}: unknown key 'model'"),
        ("=3", "--set =3: unknown key ''"),
        ("model.hidden_size=!!bool maybe", "model.hidden_size is "),
    ],
)
def test_a_mistake_in_an_assignment_names_the_option(assignment, message):
    with pytest.raises(ConfigError) as error:
        resolve([read_assignment(assignment)])
    assert message in str(error.value)
