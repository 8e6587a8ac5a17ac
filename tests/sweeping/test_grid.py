"""Grids as they are written, their combinations, and what these are called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from charrnn.config.reading import read_assignment, read_yaml
from charrnn.errors import ConfigError
from charrnn.sweeping import combining, grid
from charrnn.sweeping.naming import LONGEST, name_of

BASES = {"small": "model: {hidden_size: 5}\ntrain: {iterations: 7}\n", "broken": "model: {hiden_size: 5}\n"}


def read_base(name):
    if name not in BASES:
        raise ConfigError(f"{name}: no such config; nothing")
    return read_yaml(BASES[name], name)


def combine(text, *own, folder=Path("nowhere")):
    read, errors = grid.read(text, "g.yaml", folder, read_base)
    return combining.combine(read, [read_assignment(assignment) for assignment in own], errors)


def told(text, *own):
    with pytest.raises(ConfigError) as caught:
        combine(text, *own)
    return list(caught.value.messages)


def values(text, *own):
    return [combination.values for combination in combine(text, *own)]


def test_every_value_of_a_key_meets_every_value_of_another():
    found = values("text: t\ngrid: {model.hidden_size: [4, 8], optim.learning_rate: [1e-2, 3e-3], train.seed: 1}")
    assert found == [
        {"model.hidden_size": size, "optim.learning_rate": rate, "train.seed": 1}
        for size in (4, 8)
        for rate in (0.01, 0.003)
    ]


def test_what_varies_goes_over_what_is_set_and_that_over_the_base():
    (one,) = combine("text: t\nbase: small\ngrid: {train.seed: 3}", "train.iterations=9")
    assert (one.config.model.hidden_size, one.config.train.iterations, one.config.train.seed) == (5, 9, 3)
    (one,) = combine("text: t\nbase: small\ngrid: {model.hidden_size: 6}")
    assert (one.config.model.hidden_size, one.config.train.iterations) == (6, 7)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("data.split: [0.8, 0.2, 0]", [(0.8, 0.2, 0.0)]),
        ("data.split: [[0.9, 0.1, 0], [0.8, 0.2, 0]]", [(0.9, 0.1, 0.0), (0.8, 0.2, 0.0)]),
        ("optim.clip_norm: null", [None]),
        ("optim.clip_norm: [null, 1]", [None, 1.0]),
        ("train.time_budget: [90s, 10m]", [90.0, 600.0]),
        ("model: {hidden_size: [4, 8]}", [4, 8]),
    ],
)
def test_values_are_a_list_or_one(written, found):
    assert [value for one in values(f"text: t\ngrid: {{{written}}}") for value in one.values()] == found


def test_columns_are_one_value_or_a_list_of_such():
    task = "text: t\nbase: {task: {name: classify}}\ngrid: "
    assert values(f"{task}{{data.columns: [1, 3]}}") == [{"data.columns": (1, 3)}]
    assert values(f"{task}{{data.columns: [null, [1, 3]]}}") == [{"data.columns": None}, {"data.columns": (1, 3)}]


def test_the_base_may_stand_in_the_grid():
    (one,) = combine("text: t\nbase:\n  model:\n    cell: gru\ngrid: {train.seed: 1}")
    assert one.config.model.cell == "gru"
    assert told("text: t\nbase:\n  model:\n    sell: gru\ngrid: {train.seed: 1}") == [
        "g.yaml:4: unknown key 'model.sell'; did you mean 'model.cell'?"
    ]


def test_all_errors_are_told_at_once_each_with_its_line():
    lines = ["text: t", "grid:", "  model.hidden_size:", "    - 8", "    - 0", "  optim.learning_rat: [1]"]
    found = told("\n".join([*lines, "  model.cell: [lstm, lstn]", "  train.seed: [-1, one]"]))
    starts = [re.match(r"g\.yaml:(\d+): (unknown key '[a-z._]+'|[a-z._]+ is [^;]+);", line).groups() for line in found]
    assert starts[0] == ("6", "unknown key 'optim.learning_rat'")
    assert {*starts[1:]} == {
        ("5", "model.hidden_size is 0"),
        ("7", "model.cell is 'lstn'"),
        ("8", "train.seed is -1"),
        ("8", "train.seed is 'one'"),
    }
    assert len(found) == 5
    assert "did you mean 'optim.learning_rate'?" in found[0]
    assert any("did you mean 'lstm'?" in line for line in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"g\.yaml: no grid; "),
        ("[1]", r"g\.yaml: no grid; "),
        ("text: t", r"g\.yaml: no 'grid'; "),
        ("grid: {train.seed: 1}", r"g\.yaml: no 'text'; "),
        ("text: t\ngrid: {}", r"g\.yaml:2: no key varies; "),
        ("text: t\ngrid: 5", r"g\.yaml:2: no keys; "),
        ("text: t\ngrid: {train.seed: []}", r"g\.yaml:2: train\.seed has no values"),
        ("text: t\ngrid: {train.seed: [1, 2]}\ngird: 1", r"g\.yaml:3: unknown key 'gird'; did you mean 'grid'\?"),
        ("text: t\ngrid: {train.seed: 1}\nmodel: {cell: gru}", r"g\.yaml:3: unknown key 'model'; write it below"),
        ("text: []\ngrid: {train.seed: 1}", r"g\.yaml:1: text is an empty list"),
        ("text: '-'\ngrid: {train.seed: 1}", r"g\.yaml:1: each run reads the text anew"),
        ("text: {a: b}\ngrid: {train.seed: 1}", r"g\.yaml:1: text is the name"),
        ("text: t\ngrid:\n  train.seed: [1,\n    2, 1]", r"g\.yaml:4: train\.seed is 1 in line 3 already; remove one"),
        ("text: t\ngrid: {train.time_budget: [60, 1m]}", r"g\.yaml:2: train\.time_budget is 60\.0 in line 2 already"),
        ("text: t\ngrid:\n  train.seed: 1\n  train.seed: 2", r"g\.yaml:4: 'train\.seed' stands in line 3 already"),
        ("text: t\ngrid:\n  train.seed: 1\n  train: {seed: 2}", r"g\.yaml:4: 'train\.seed' stands in g\.yaml:3"),
        ("text: t\nbase: nothing\ngrid: {train.seed: 1}", r"g\.yaml:2: nothing: no such config"),
        ("text: t\nbase: broken\ngrid: {train.seed: 1}", r"broken:1: unknown key 'model\.hiden_size'; did you mean"),
        ("text: t\nbase: [small]\ngrid: {train.seed: 1}", r"g\.yaml:2: base is one configuration"),
        ("text: t\ngrid: {model.bidirectional: [false, true]}", r"g\.yaml: .*bidirectional"),
        ("text: t\ngrid: {data.columns: [[1, 3]]}", r"g\.yaml: data\.columns: the task language_model does not read"),
        ("text: t\ngrid: {task.name: [language_model, classify]}", r"g\.yaml: task\.name: runs that are measured"),
        ("text: t\ngrid: {optim.learning_rate: [1e-3], optim.min_learning_rate: 1}", r"g\.yaml:2: optim\.min_learning"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(text, message):
    (line,) = told(text)
    assert re.match(message, line), line


def test_what_is_set_for_all_cannot_vary():
    (line,) = told("text: t\ngrid:\n  train.seed: [1, 2]", "train.seed=3")
    assert line == "--set train.seed=3: train.seed varies in g.yaml:3; leave one of the two out"


def test_too_many_runs_and_too_many_errors_are_said_in_few_lines():
    (line,) = told(f"text: t\ngrid: {{train.seed: {[*range(200)]}, model.hidden_size: {[*range(1, 200)]}}}")
    assert line.startswith("g.yaml: 39,800 runs; a sweep has 10,000 at most")
    many = "".join(f"\n    - {-n}" for n in range(1, 100))
    assert len(found := told(f"text: t\ngrid:\n  train.seed:{many}")) == 21
    assert found[-1] == "g.yaml: and 79 more errors"


def test_files_beside_the_grid_come_first(tmp_path):
    (tmp_path / "t").touch()
    read, _ = grid.read("text: [t, u]\ngrid: {train.seed: 1}", "g.yaml", tmp_path, read_base)
    assert read.texts == (str(tmp_path / "t"), "u")


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"model.hidden_size": 64, "optim.learning_rate": 0.01}, "hidden_size=64,learning_rate=0.01"),
        ({"optim.learning_rate": 1e-5, "model.dropout": 0.0}, "learning_rate=1e-05,dropout=0"),
        ({"optim.name": "adam", "model.layer_norm": True}, "optim.name=adam,layer_norm=true"),
        ({"data.split": (0.9, 0.1, 0.0), "optim.clip_norm": None}, "split=0.9-0.1-0,clip_norm=null"),
    ],
)
def test_a_person_recognizes_the_name_of_a_run(given, name):
    assert name_of(given) == name


ODD = ["a/b", "..", "\n\n", "Val.tsv", "val.tsv", "x" * 300, "x" * 301, "é", "", "a,b=c", "*", "-", "lines "]


def test_names_are_safe_bounded_and_differ_even_without_case():
    names = [name_of({"data.validation": value}) for value in ODD]
    assert all(re.fullmatch(r"[A-Za-z0-9._+=,-]+", name) and len(name) <= LONGEST for name in names)
    assert len({name.casefold() for name in names}) == len(ODD)
    assert names == [name_of({"data.validation": value}) for value in ODD]
