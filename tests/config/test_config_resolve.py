"""Layers of settings to one configuration, and where each value came from."""

from __future__ import annotations

import pytest

from charrnn.config.resolve import Setting, resolve
from charrnn.config.schema import Config, keys, types_of_keys
from charrnn.errors import ConfigError
from charrnn.nn.cells import ACTIVATIONS, CELLS
from charrnn.nn.initializers import NAMES as INITIALIZERS
from charrnn.optim.optimizers import OPTIMIZERS
from charrnn.optim.schedules import NAMES as SCHEDULES
from charrnn.text.streams import SPLITS


def test_no_setting_at_all_gives_the_defaults():
    config, origins = resolve()
    assert config == Config()
    assert origins == dict.fromkeys(keys(), "default")


def test_later_layers_win_and_each_value_knows_its_origin():
    config, origins = resolve(
        [Setting("model.cell", "gru", "a.yaml:1"), Setting("model.hidden_size", 7, "a.yaml:2")],
        [Setting("model.hidden_size", 9, "--set model.hidden_size=9")],
    )
    assert (config.model.cell, config.model.hidden_size) == ("gru", 9)
    assert origins["model.cell"] == "a.yaml:1"
    assert origins["model.hidden_size"] == "--set model.hidden_size=9"
    assert origins["model.dropout"] == "default"


def test_a_wrong_value_is_told_even_where_a_later_layer_replaces_it():
    with pytest.raises(ConfigError, match=r"a\.yaml:1"):
        resolve([Setting("model.hidden_size", 0, "a.yaml:1")], [Setting("model.hidden_size", 9, "--set")])


@pytest.mark.parametrize(("key", "value"), [("train.iterations", 50), ("train.time_budget", "2m")])
def test_default_epochs_give_way_to_another_end_and_epochs_once_set_stay(key, value):
    other = Setting(key, value, "x")
    assert resolve([other])[0].train.epochs is None
    assert resolve([other, Setting("train.epochs", 10, "y")])[0].train.epochs == 10


def test_the_rules_that_need_two_keys_look_at_the_result_and_not_at_a_layer():
    relu = [Setting("model.activation", "relu", "a")]
    assert resolve(relu, [Setting("model.cell", "rnn", "b")])[0].model.activation == "relu"
    with pytest.raises(ConfigError, match="for the cell 'rnn'"):
        resolve(relu, [Setting("model.cell", "gru", "b")])


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("model.cell", CELLS),
        ("model.activation", ACTIVATIONS),
        ("model.init", INITIALIZERS),
        ("optim.name", OPTIMIZERS),
        ("optim.schedule", SCHEDULES),
        ("data.split_by", SPLITS),
    ],
)
def test_the_choices_of_a_key_are_what_the_code_has(key, registry):
    assert sorted(keys()[key].metadata["choices"]) == sorted(registry)


def test_every_key_has_help_a_type_and_a_default_that_is_valid():
    assert keys().keys() == types_of_keys().keys()
    for path, f in keys().items():
        assert f.metadata["help"], path
        if f.default is not None:
            resolve([Setting(path, list(f.default) if isinstance(f.default, tuple) else f.default, "x")])
