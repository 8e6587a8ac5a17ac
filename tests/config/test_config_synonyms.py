"""What other programs call a key, and what the hand makes of it, is answered with the key that is meant."""

from __future__ import annotations

import pytest

from charrnn.config.reading import read_assignment
from charrnn.config.resolve import resolve
from charrnn.config.schema import keys
from charrnn.config.synonyms import OTHERS, meant, nearest_value
from charrnn.errors import ConfigError


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("lr", "optim.learning_rate"),
        ("optim.lr", "optim.learning_rate"),
        ("model.learning_rate", "optim.learning_rate"),
        ("optimizer", "optim.name"),
        ("layers", "model.num_layers"),
        ("ema", "optim.average"),
        ("beta", "optim.beta1"),
        ("batch", "train.batch_size"),
        ("hidden", "model.hidden_size"),
        ("hidden_size", "model.hidden_size"),
        ("Hidden-Size", "model.hidden_size"),
        ("MODEL.HIDDEN_SIZE", "model.hidden_size"),
        ("model_hidden_size", "model.hidden_size"),
        ("dropout", "model.dropout"),
        ("bidirectional", "model.bidirectional"),
        ("learing_rate", "optim.learning_rate"),
        ("nesterov", "optim.name=nesterov"),
        ("gru", "model.cell=gru"),
    ],
)
def test_an_unknown_key_is_answered_with_the_one_that_is_meant(typed, right):
    with pytest.raises(ConfigError) as error:
        resolve([read_assignment(f"{typed}=1")])
    assert error.value.messages[0].endswith(f"unknown key {typed!r}; did you mean {right!r}?")


def test_nothing_is_made_of_what_means_nothing():
    assert meant("zzz", keys()) is None
    with pytest.raises(ConfigError, match="`charrnn config schema` lists the keys"):
        resolve([read_assignment("zzz=1")])


def test_no_word_means_two_keys():
    words = [word for others in OTHERS.values() for word in others.split()]
    assert len(words) == len(set(words))


def test_every_key_means_itself():
    assert [meant(key, keys()) for key in keys()] == [*keys()]


@pytest.mark.parametrize(
    ("typed", "right"),
    [("Adam", "adam"), ("adamW", "adamw"), ("LSTM", "lstm"), ("LSTN", "lstm"), ("One-Cycle", "one_cycle")],
)
def test_a_choice_is_found_in_whatever_case(typed, right):
    assert nearest_value(typed, ["sgd", "adam", "adamw", "gru", "lstm", "one_cycle"]) == right
