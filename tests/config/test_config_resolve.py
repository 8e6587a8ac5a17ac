"""Layers of settings to one configuration, and where each value came from."""

from __future__ import annotations

import pytest

from charrnn.config.resolve import Setting, is_set, resolve
from charrnn.config.schema import Config, keys, types_of_keys
from charrnn.errors import ConfigError
from charrnn.nn import INITIALIZERS, initializers
from charrnn.nn.cells import ACTIVATIONS, CELLS
from charrnn.optim import OPTIMIZERS, SCHEDULES, optimizers, schedules
from charrnn.text.streams import CUTS


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


def test_a_default_is_set_by_nobody_and_a_file_may_be_called_so():
    _, origins = resolve(
        [Setting("optim.name", "adamw", "default.yaml:3"), Setting("train.iterations", 5, "--iterations 5")]
    )
    assert [path for path, origin in origins.items() if is_set(origin)] == ["train.iterations", "optim.name"]
    assert origins["optim.weight_decay"] == "default of adamw"
    assert origins["train.epochs"].startswith("set aside")


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
        ("data.split_by", CUTS),
    ],
)
def test_the_choices_of_a_key_are_what_the_code_has(key, registry):
    assert sorted(keys()[key].metadata["choices"]) == sorted(registry)


@pytest.mark.parametrize(
    ("chosen", "key", "default", "of_the_choice"),
    [
        ({"optim.name": "adamw"}, "optim.weight_decay", 0.0, 0.01),
        ({"optim.schedule": "plateau"}, "optim.decay", 0.97, 0.5),
        ({"model.init": "torch"}, "model.forget_bias", 1.0, 0.0),
    ],
)
def test_a_choice_may_have_defaults_of_its_own_for_keys_that_nobody_set(chosen, key, default, of_the_choice):
    (path, choice), section = *chosen.items(), key.partition(".")[0]

    def value(*settings):
        config, origins = resolve(*settings)
        return getattr(getattr(config, section), key.partition(".")[2]), origins[key]

    set_it = Setting(key, default, "mine.yaml:2")
    choose = Setting(path, choice, "mine.yaml:1")
    assert value([]) == (default, "default")
    assert value([choose]) == (of_the_choice, f"default of {choice}")
    assert value([choose, set_it]) == value([set_it], [choose]) == (default, "mine.yaml:2")
    assert value([choose], [Setting(path, keys()[path].default, "--set")]) == (default, "default")


def test_the_default_of_a_choice_is_allowed_and_is_another_than_that_of_the_key():
    found = 0
    for path, f in keys().items():
        for choice, defaults in f.metadata["defaults"].items():
            for name, default in defaults.items():
                other = f"{path.partition('.')[0]}.{name}"
                assert keys()[other].default != default
                resolve([Setting(path, choice, "x"), Setting(other, default, "x")])
                found += 1
    assert found


@pytest.mark.parametrize(
    ("table", "module"), [(OPTIMIZERS, optimizers), (SCHEDULES, schedules), (INITIALIZERS, initializers)]
)
def test_every_row_of_a_table_has_a_function_and_keys_of_its_section(table, module):
    section = "model" if table is INITIALIZERS else "optim"
    for name, row in table.items():
        assert getattr(module, name).__module__ == module.__name__
        assert {f"{section}.{key}" for key in (*row.keys, *row.defaults)} <= keys().keys()


@pytest.mark.parametrize(
    ("key", "wrong", "right"),
    [
        ("optim.name", "adam-w", "adamw"),
        ("optim.name", "nestrov", "nesterov"),
        ("optim.schedule", "onecycle", "one_cycle"),
        ("optim.schedule", "plato", "plateau"),
        ("model.init", "identiy", "identity"),
    ],
)
def test_a_choice_that_does_not_exist_is_told_with_all_there_are_and_the_nearest(key, wrong, right):
    table = {"optim.name": OPTIMIZERS, "optim.schedule": SCHEDULES, "model.init": INITIALIZERS}[key]
    with pytest.raises(ConfigError) as error:
        resolve([Setting(key, wrong, "mine.yaml:4")])
    message = f"mine.yaml:4: {key} is {wrong!r}; it must be one of {', '.join(table)}; did you mean {right!r}?"
    assert error.value.messages == (message,)


@pytest.mark.parametrize("average", [0, 1, -0.5, 1.5])
def test_an_average_keeps_a_share_of_itself_that_is_neither_nothing_nor_all(average):
    wanted = "a number above 0 and below 1, or null"
    with pytest.raises(ConfigError, match=f"optim.average is {average}; it must be {wanted}"):
        resolve([Setting("optim.average", average, "x")])
    assert resolve([Setting("optim.average", 0.999, "x")])[0].optim.average == 0.999
    assert resolve([Setting("optim.average", None, "x")])[0].optim.average is None


def test_every_key_has_help_a_type_and_a_default_that_is_valid():
    assert keys().keys() == types_of_keys().keys()
    for path, f in keys().items():
        assert f.metadata["help"], path
        if f.default is not None:
            resolve([Setting(path, list(f.default) if isinstance(f.default, tuple) else f.default, "x")])
