"""What is typed to no effect is told; what a file has beside, as the configuration of a run has all keys, is not."""

from __future__ import annotations

import math

import pytest

from charrnn import cores
from charrnn.config import unread as module
from charrnn.config.reading import read_assignment, read_yaml
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.config.unread import RULES, TABLES, unread


def told(*assignments):
    return unread(*resolve([read_assignment(one) for one in assignments]))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["optim.momentum=0.5"],
            "--set optim.momentum=0.5: optim.momentum has no effect where optim.name is adam; it has with momentum or "
            "nesterov",
        ),
        (["optim.decay=0.5", "optim.schedule=constant"], "it has with step or plateau"),
        (["model.init_scale=0.5"], "where model.init is he; it has with uniform"),
        (["model.forget_bias=2", "model.cell=gru"], "model.forget_bias has no effect where model.cell is gru"),
        (["model.pooling=max"], "where task.name is language_model"),
        (["model.attention=additive", "task.name=transduce", "model.context=last"], "where model.context is last"),
        (["model.dropout_per=window"], "where model.dropout is 0.0"),
    ],
)
def test_a_key_that_is_typed_to_no_effect_is_told(typed, said):
    (line,) = told(*typed)
    assert said in line


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["optim.momentum=0.5", "optim.name=nesterov"],
        ["optim.decay=0.5", "optim.schedule=plateau"],
        ["model.forget_bias=2"],
        ["model.pooling=max", "task.name=classify"],
        ["model.attention=additive", "task.name=transduce"],
        ["model.dropout_per=window", "model.dropout=0.5"],
    ],
)
def test_of_a_key_that_has_an_effect_nothing_is_said(typed):
    assert not told(*typed)


def test_of_what_a_file_has_nothing_is_said():
    assert not unread(*resolve(read_yaml("optim: {momentum: 0.5}", "my.yaml")))


def test_more_threads_than_cores_are_told(monkeypatch):
    monkeypatch.setattr(module, "find", lambda: cores.Found(2, math.inf, {"OMP_NUM_THREADS": 1}))
    assert told("train.threads=64") == [
        "train.threads is 64, and 2 cores can be used here: more make it no faster",
    ]
    assert not told("train.threads=2")


def test_more_processes_than_cores_are_told(monkeypatch):
    monkeypatch.setattr(module, "find", lambda: cores.Found(2, math.inf, {}))
    assert told("train.layout=2x2") == [
        "train.layout is 2x2, and 2 cores can be used here: processes will wait for each other",
    ]
    assert not told("train.layout=1x2")


def test_every_rule_is_of_keys_that_there_are():
    assert {*RULES, *(chooser for chooser, _ in RULES.values()), *TABLES} <= set(keys())
