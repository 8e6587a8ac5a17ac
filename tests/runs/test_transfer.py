"""New runs from old weights: characters are mapped by themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest

from charrnn.errors import CheckpointError
from charrnn.nn.cells import CELLS
from charrnn.text.encoding import decode
from charrnn.training import preparing


@pytest.fixture
def prepare(settle):
    def prepare(characters, old=None, **changes):
        filled = decode([(characters * 200).encode()], "a text", "utf-8")
        return preparing.prepare(settle(**changes), filled, old)

    return prepare


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("initial_state", ["zero", "learned"])
def test_weights_follow_their_characters_to_another_vocabulary(cell, initial_state, prepare):
    model = {"model__cell": cell, "model__num_layers": 2, "model__initial_state": initial_state}
    old, *_ = prepare("bdfh", **model)
    old.params.vector[...] = np.random.default_rng(3).standard_normal(old.params.vector.size)
    fresh, *_ = prepare("abcdhz", train__seed=5, **model)
    new, _, notes = prepare("abcdhz", old, train__seed=5, **model)

    H, olds, news = 6, "bdfh", "abcdhz"
    assert notes[0] == "characters new to the weights: 'acz'"
    assert notes[1].startswith("characters of the old run that this text has not: 'f', lost; to keep them, ")
    assert len(notes) == 2
    for name, array in new.params.items():
        if name not in ("layers.0.W", "head.W", "head.b"):
            np.testing.assert_array_equal(array, old.params[name])
    np.testing.assert_array_equal(new.params["layers.0.W"][:H], old.params["layers.0.W"][:H])
    for i, c in enumerate(news):
        source, j = (old, olds.index(c)) if c in olds else (fresh, i)
        np.testing.assert_array_equal(new.params["layers.0.W"][H + i], source.params["layers.0.W"][H + j])
        np.testing.assert_array_equal(new.params["head.W"][:, i], source.params["head.W"][:, j])
        assert new.params["head.b"][i] == source.params["head.b"][j]


def test_a_graft_on_the_same_characters_predicts_the_same(prepare, rng):
    old, *_ = prepare("abcd")
    new, _, notes = prepare("dcab", old, train__seed=9)
    assert notes == []
    np.testing.assert_array_equal(new.params.vector, old.params.vector)
    assert new.params.vector is not old.params.vector


def test_a_graft_leaves_the_old_run_as_it_was(prepare):
    old, *_ = prepare("abcd")
    before = old.params.vector.copy()
    new, *_ = prepare("abxy", old)
    new.params.vector += 1
    np.testing.assert_array_equal(old.params.vector, before)


@pytest.mark.parametrize(("key", "value"), [("cell", "gru"), ("hidden_size", 7)])
def test_weights_of_which_no_layer_fits_are_refused_with_both_named(key, value, prepare):
    old, *_ = prepare("abcd", **{f"model__{key}": value})
    ours = getattr(prepare("abcd")[0].config.model, key)
    with pytest.raises(
        CheckpointError, match=f"model.{key} {json.dumps(value)}, and the configuration has {json.dumps(ours)}"
    ):
        prepare("abcd", old)


def test_weights_of_the_same_shape_for_other_gates_are_not_taken_over(prepare):
    old, *_ = prepare("abcd", model__cell="gru_reset_before")
    assert old.params["layers.0.W"].shape == prepare("abcd", model__cell="lstm_cifg")[0].params["layers.0.W"].shape
    with pytest.raises(CheckpointError, match="no layer of the weights to begin from fits"):
        prepare("abcd", old, model__cell="lstm_cifg")


NETWORKS = {
    "layer_norm": {"model__layer_norm": True},
    "num_layers": {"model__num_layers": 2},
    "initial_state": {"model__initial_state": "learned"},
    "peepholes": {"model__cell": "lstm_peephole"},
    "all": {"model__layer_norm": True, "model__num_layers": 2, "model__initial_state": "learned"},
}


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("forward", [True, False], ids=["to", "from"])
def test_what_fits_is_taken_over_and_what_does_not_is_named(changes, forward, prepare):
    before, after = ({}, changes) if forward else (changes, {})
    old, *_ = prepare("abcd", **before)
    old.params.vector[...] = np.random.default_rng(3).standard_normal(old.params.vector.size)
    fresh, *_ = prepare("abcd", train__seed=5, **after)
    new, _, notes = prepare("abcd", old, train__seed=5, **after)
    for name, array in new.params.items():
        np.testing.assert_array_equal(array, (old if name in old.params else fresh).params[name])
    (note,) = notes
    for key in changes:
        assert key.replace("__", ".") + " was" in note
    appeared = [name for name in new.params if name not in old.params]
    vanished = [name for name in old.params if name not in new.params]
    assert ("new here: " + ", ".join(appeared) in note) == bool(appeared)
    assert ("left behind: " + ", ".join(vanished) in note) == bool(vanished)


def test_an_average_begins_with_the_weights_that_were_taken_over(prepare):
    old, *_ = prepare("abcd")
    new, *_ = prepare("abcd", old, train__seed=7, optim__average=0.9)
    np.testing.assert_array_equal(new.average.vector, old.params.vector)


def test_weights_that_know_no_character_of_the_text_are_refused(prepare):
    old, *_ = prepare("abcd")
    with pytest.raises(CheckpointError, match="know no character of this text"):
        prepare("wxyz", old)


def test_bytes_are_not_taken_for_characters_of_the_same_number(prepare, settle):
    """Symbol 0xE9 is a byte in the one vocabulary, and the letter e with an acute accent in the other."""
    old, *_ = prepare("abé")
    config = settle(data__encoding="bytes")
    _, _, notes = preparing.prepare(config, decode([b"ab\xe9" * 200], "a text", "bytes"), old)
    assert notes[0] == "characters new to the weights: 'é'"
