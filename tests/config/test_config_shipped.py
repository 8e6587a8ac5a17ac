"""The shipped configurations."""

from __future__ import annotations

import pytest

from charrnn.cli.common import config_names, read_config
from charrnn.config.resolve import resolve
from charrnn.config.schema import Config, keys
from charrnn.nn import initializers
from charrnn.nn.cells import ACTIVATIONS, CELLS
from charrnn.optim import optimizers as optim
from charrnn.optim import schedules
from charrnn.text.streams import SPLITS


def test_the_recipe_called_lstm_is_the_default_one():
    assert resolve(read_config("lstm"))[0] == Config()


def test_there_are_the_recipes_of_the_readme():
    wanted = {"quickstart", "lstm", "gru", "rnn", "min-char-rnn", "char-rnn", "torch-rnn", "textbook-lstm"}
    assert wanted <= set(config_names())


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("data.split_by", SPLITS),
        ("model.cell", CELLS),
        ("model.activation", ACTIVATIONS),
        ("model.init", initializers.NAMES),
        ("optim.name", optim.OPTIMIZERS),
        ("optim.schedule", schedules.NAMES),
    ],
)
def test_what_can_be_chosen_is_what_there_is(key, registry):
    assert set(keys()[key].metadata["choices"]) == set(registry)
