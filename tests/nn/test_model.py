"""What a network can be told to be, and what does not go together."""

from __future__ import annotations

import pytest
from architectures import KINDS, OPTIONS, fits

from charrnn.nn.model import CharLM

REFUSALS = {
    "recurrent_dropout": "recurrent_dropout is not for {}, which has no candidate; choose a gated cell",
    "zoneout_c": "zoneout_c is not for {}, which has no state c; use zoneout_h",
    "layer_norm": "layer_norm is not for {}, whose product does not simply add; choose another cell",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_refused_for_cells_that_do_not_have_what_it_changes(cell, option):
    if fits(cell["cell"], option):
        assert CharLM(5, **cell, **OPTIONS[option]).stack.cell
        return
    with pytest.raises(ValueError, match=REFUSALS[option].format(cell["cell"])):
        CharLM(5, **cell, **OPTIONS[option])


def test_every_option_that_one_cell_is_refused_is_taken_by_another():
    cells = {kind["cell"] for kind in KINDS.values()}
    for option in REFUSALS:
        assert {fits(cell, option) for cell in cells} == {True, False}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"initial_state": "one"}, "initial_state 'one' is not 'zero', 'random' or 'learned'"),
        ({"cell": "elman"}, "there is no cell 'elman'"),
        ({"cell": "rnn", "activation": "gelu"}, "there is no activation 'gelu'"),
        ({"dropout_per": "text"}, "dropout_per 'text' is not 'step' or 'window'"),
    ],
)
def test_a_word_that_means_nothing_is_refused(option, message):
    with pytest.raises(ValueError, match=message):
        CharLM(5, **option)


def test_models_of_the_same_words_are_equal_whatever_they_have_computed(window):
    used = CharLM(5, cell="gru", hidden_size=4, bidirectional=True)
    window(used).results()
    assert used == CharLM(5, cell="gru", hidden_size=4, bidirectional=True) != CharLM(5, cell="gru", hidden_size=4)
