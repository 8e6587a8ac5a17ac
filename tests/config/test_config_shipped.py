"""The shipped configurations."""

from __future__ import annotations

from charrnn.cli.common import config_names, read_config
from charrnn.config.resolve import resolve
from charrnn.config.schema import Config


def test_the_recipe_called_lstm_is_the_default_one():
    assert resolve(read_config("lstm"))[0] == Config()


def test_there_are_the_recipes_of_the_readme():
    wanted = {"quickstart", "lstm", "gru", "rnn", "min-char-rnn", "char-rnn", "torch-rnn", "textbook-lstm"}
    assert wanted <= set(config_names())
