"""The rule by which a recipe is chosen: what follows from text, time and machine, and what a user has set."""

from __future__ import annotations

import dataclasses
import math

import pytest

from charrnn.recipes import rule
from charrnn.recipes.rule import Situation, recipe


def situation(characters=900_000, judged=50_000, **known):
    """A machine on which a network of twice the width takes four times as long."""
    return Situation(characters, judged, lambda shape: 5e9 / shape.hidden_size**2, lambda width: 4 * width**2, **known)


def test_every_table_has_an_answer_to_every_number():
    for table in (rule.WIDEST, rule.BATCHES, rule.DROPOUTS, rule.RATES):
        bounds = [bound for bound, _ in table]
        assert bounds == sorted(bounds)
        assert bounds[-1] == math.inf
        assert rule.of(table, 0) == table[0][1]
        assert rule.of(table, bounds[0]) == table[1][1]


def test_more_time_is_for_a_wider_network_until_the_text_is_too_short_for_it():
    widths = [recipe(situation(seconds=seconds)).shape.hidden_size for seconds in (5, 20, 60, 300, 9999)]
    assert widths == sorted(widths)
    assert len({*widths}) > 3
    assert widths[-1] == rule.of(rule.WIDEST, 900_000)
    assert recipe(situation(seconds=60)).is_short_of_time
    assert not recipe(situation(seconds=9999)).is_short_of_time


def test_a_network_reads_enough_for_its_size():
    found = situation(seconds=100.0)
    shape = recipe(found).shape
    wider = shape._replace(hidden_size=rule.WIDTHS[rule.WIDTHS.index(shape.hidden_size) + 1])
    for each, is_enough in ((shape, True), (wider, False)):
        enough = rule.PER_PARAMETER * found.parameters(each.hidden_size)
        assert (found.speed(each) * 100 >= enough) is is_enough


def test_a_text_that_is_read_more_often_has_more_dropout():
    dropouts = [recipe(situation(characters, seconds=60.0)).dropout for characters in (10**8, 10**6, 10**5, 10**4)]
    assert dropouts == sorted(dropouts)
    assert dropouts[0] == 0 < dropouts[-1]


def test_short_texts_have_small_batches_and_wide_networks_a_lower_rate():
    short, long = (recipe(situation(characters, seconds=600.0)) for characters in (5_000, 10**7))
    assert short.shape.batch_size * short.shape.seq_length < long.shape.batch_size * long.shape.seq_length
    assert short.learning_rate > long.learning_rate
    assert recipe(situation(seconds=600.0, cell="rnn")).learning_rate < recipe(situation(seconds=600.0)).learning_rate


@pytest.mark.parametrize("characters", [100, 300, 999, 1_000, 19_999])
def test_a_text_has_more_characters_than_a_batch(characters):
    rows, steps = recipe(situation(characters, judged=5)).shape[1:]
    assert rows * steps < characters


def test_what_is_given_is_kept_and_the_rest_is_chosen_around_it():
    found = recipe(situation(seconds=120.0, hidden_size=33, batch_size=7, seq_length=11, eval_every=13))
    assert (found.shape, found.eval_every) == ((33, 7, 11), 13)
    narrow, wide = (recipe(situation(seconds=60.0, hidden_size=width)) for width in (64, 512))
    assert narrow.passes > wide.passes
    assert narrow.dropout > wide.dropout


def test_a_run_without_an_end_is_given_one_and_says_how_long_it_takes():
    found = recipe(situation())
    assert found.epochs is not None
    assert found.seconds <= 1.1 * rule.USUAL
    assert found.seconds == pytest.approx(found.epochs * 900_000 / situation().speed(found.shape))


def test_a_text_that_is_too_long_to_be_read_once_is_read_for_the_usual_time():
    found = recipe(situation(10_000_000_000))
    assert (found.epochs, found.time_budget, found.seconds) == (None, rule.USUAL, pytest.approx(rule.USUAL))
    assert recipe(situation()).time_budget is None
    assert recipe(situation(10_000_000_000, seconds=60.0)).time_budget is None


def test_more_time_than_is_of_use_is_not_used():
    assert recipe(situation(100_000, 5_000, seconds=3600.0)).epochs == rule.EPOCHS
    assert recipe(situation(seconds=60.0)).epochs is None
    for length in ({"epochs": 500}, {"updates": 10**6}):
        assert recipe(situation(20_000, 1_000, seconds=3600.0, **length)).epochs is None


def test_a_short_text_is_read_until_there_are_updates_enough():
    found = recipe(situation(450, 25))
    assert found.epochs * 450 >= rule.FEWEST * found.shape.batch_size * found.shape.seq_length - 450


def test_a_length_that_is_given_decides_how_often_the_text_is_read():
    assert recipe(situation(epochs=3)).passes == pytest.approx(3)
    found = recipe(situation(updates=700, accumulate=2))
    assert found.passes == pytest.approx(700 * 2 * found.shape.batch_size * found.shape.seq_length / 900_000)
    assert recipe(situation(epochs=100)).shape.hidden_size < recipe(situation(epochs=3)).shape.hidden_size


@pytest.mark.parametrize(("updates", "judged", "every"), [(20, 0, 1), (400, 1, 10), (10**6, 1, 1000), (100, 60, 10)])
def test_evaluations_are_often_enough_and_not_dear(updates, judged, every):
    assert rule.evaluate_every(updates, judged) == every


def test_patience_is_a_share_of_all_evaluations():
    few, many = recipe(situation(updates=20)), recipe(situation(updates=40_000))
    assert few.patience == rule.LEAST_WAITING
    assert many.patience == rule.WAITING * 40_000 / many.eval_every


def test_there_is_no_patience_that_a_run_cannot_use_up():
    found = situation(updates=70, eval_every=10)
    assert recipe(found).patience == 5
    for updates, every in ((60, 10), (70, 100), (6, None)):
        assert recipe(dataclasses.replace(found, updates=updates, eval_every=every)).patience is None


def test_recurrent_dropout_is_half_of_the_dropout_that_is_given():
    shares = [recipe(situation(seconds=9999.0, dropout=dropout)).recurrent_dropout for dropout in (0.0, 0.2, None)]
    assert shares[:2] == [0.0, 0.1]
    assert shares[2] > 0.1


def test_the_machine_is_part_of_it():
    slow = dataclasses.replace(situation(seconds=120.0), speed=lambda shape: 5e8 / shape.hidden_size**2)
    assert recipe(slow).shape.hidden_size < recipe(situation(seconds=120.0)).shape.hidden_size
