"""Dropout masks: what they hold, and where the model puts them."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.nn import dropout
from charrnn.nn.model import CharLM

PROBABILITIES = pytest.mark.parametrize("probability", [0.1, 0.5, 0.8])


@PROBABILITIES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mask_is_zero_with_its_probability_and_its_mean_is_one(rng, probability, dtype):
    mask = dropout.mask(rng, (100, 50, 40), probability, dtype)
    assert mask.dtype == dtype
    assert mask.shape == (100, 50, 40)
    np.testing.assert_array_equal(np.unique(mask), np.array([0, 1 / (1 - probability)], dtype))
    assert (mask == 0).mean() == pytest.approx(probability, abs=5 * np.sqrt(0.25 / mask.size))
    assert mask.mean(dtype=np.float64) == pytest.approx(1, abs=0.03)


def test_a_mask_differs_between_steps_rows_and_units(rng):
    mask = dropout.mask(rng, (40, 40, 40), 0.5, np.float32)
    for axis in range(3):
        assert np.ptp(mask, axis=axis).all()


def test_masks_come_from_the_generator_alone():
    model = CharLM(5, "rnn", hidden_size=7, num_layers=2, dropout=0.4)
    first, again, other = (model.masks(np.random.default_rng(seed), 3, 2)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_window_has_new_masks_and_no_two_places_share_one(rng):
    model = CharLM(5, "rnn", hidden_size=50, num_layers=2, dropout=0.5)
    drawn = [mask for _ in range(2) for mask in model.masks(rng, 4, 3)[1:]]
    for k, mask in enumerate(drawn):
        for other in drawn[:k]:
            assert 0.3 < (mask != other).mean() < 0.7


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_there_is_a_mask_above_every_layer_and_none_for_the_characters(rng, num_layers):
    below, *above = CharLM(5, "rnn", hidden_size=7, num_layers=num_layers, dropout=0.4).masks(rng, 6, 2)
    assert below is None
    assert [mask.shape for mask in above] == [(6, 2, 7)] * num_layers


def test_a_model_without_dropout_draws_nothing(rng):
    before = rng.bit_generator.state
    assert CharLM(5, "rnn", hidden_size=7).masks(rng, 6, 2) is None
    assert rng.bit_generator.state == before
