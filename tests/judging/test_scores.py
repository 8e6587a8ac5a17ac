"""Scores against values worked out by hand, and against slower ways to compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.judging.scores import accuracy, confusion, edit_distance, exact_match_and_edit_rate, macro_f1, mcc, mean

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
ANSWERS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 0, 2])
TABLE = np.array([[3, 1, 0], [0, 1, 1], [1, 0, 3]])


def test_accuracy_is_the_share_of_right_answers_in_any_shape():
    assert accuracy(TRUTH, ANSWERS) == 0.7
    assert accuracy(TRUTH.reshape(2, 5), ANSWERS.reshape(2, 5)) == 0.7


def test_a_row_of_the_confusion_is_what_a_label_was_answered_with():
    assert confusion(TRUTH, ANSWERS, 3).tolist() == TABLE.tolist()
    assert (
        confusion(TRUTH.astype(np.uint8) + 97, ANSWERS.astype(np.uint8) + 97, 100)[97:, 97:].tolist() == TABLE.tolist()
    )


def test_macro_f1_is_the_mean_over_labels_by_hand():
    assert macro_f1(TABLE) == pytest.approx((6 / 8 + 2 / 4 + 6 / 8) / 3)


def test_macro_f1_leaves_out_only_a_label_that_nobody_named():
    unused = np.pad(TABLE, (0, 1))
    assert macro_f1(unused) == macro_f1(TABLE)
    unused[3, 0] = 1  # true once, never answered: F1 is 0, and the label counts
    assert macro_f1(unused) == pytest.approx((6 / 9 + 2 / 4 + 6 / 8 + 0) / 4)
    assert macro_f1(unused.T) == macro_f1(unused)  # and so where it was answered once, and never true


def test_mcc_is_that_of_matthews_for_two_labels():
    tn, fp, fn, tp = 90, 4, 2, 14
    by_hand = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert mcc(np.array([[tn, fp], [fn, tp]])) == pytest.approx(by_hand)


def test_mcc_is_that_of_gorodkin_for_three_labels():
    # 10 items, 7 right; true 4, 2, 4 times and answered 4, 2, 4 times
    assert mcc(TABLE) == pytest.approx((10 * 7 - 36) / (100 - 36))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_mcc_is_the_correlation_of_the_indicators_of_labels(pairs):
    truth, answers = np.array(pairs).T
    one_hot = np.eye(4)
    t, a = one_hot[truth] - one_hot[truth].mean(axis=0), one_hot[answers] - one_hot[answers].mean(axis=0)
    scale = math.sqrt((t * t).sum() * (a * a).sum())
    assert mcc(confusion(truth, answers, 4)) == pytest.approx((t * a).sum() / scale if scale > 1e-9 else 0, abs=1e-9)


def test_the_mean_of_nothing_is_no_number():
    assert math.isnan(mean(0.0, 0))
    assert mean(3.0, 2) == 1.5


def test_mcc_of_one_label_for_all_is_zero_and_of_many_items_does_not_overflow():
    assert mcc(np.array([[90, 0], [10, 0]])) == 0
    assert mcc(TABLE * 10**12) == pytest.approx(mcc(TABLE))


def test_scores_of_nothing_are_not_numbers():
    nothing = np.zeros(0, int)
    assert math.isnan(accuracy(nothing, nothing))
    assert math.isnan(macro_f1(confusion(nothing, nothing, 2)))
    assert all(map(math.isnan, exact_match_and_edit_rate([], [])))


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("kitten", "sitting", 3),
        ("intention", "execution", 5),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        ("flaw", "lawn", 2),
        ("ab", "ba", 2),
        ([1, 2, 3], [2, 3, 4], 2),
    ],
)
def test_edit_distances_that_are_well_known(a, b, distance):
    assert edit_distance(a, b) == distance


def by_the_table(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@given(st.text("abc", max_size=90), st.text("abcd", max_size=90))
def test_an_edit_distance_is_that_of_the_table(a, b):
    assert edit_distance(a, b) == by_the_table(a, b)


def test_any_of_several_targets_counts_and_edits_are_those_to_the_nearest():
    answers = ["abc", "abd", "x"]
    targets = [["abcdef", "abc"], ["abcd", "abc"], ["xyz"]]
    # "abd" is one edit from both targets, and is spread over the longer
    assert exact_match_and_edit_rate(answers, targets) == (1 / 3, (0 + 1 + 2) / (3 + 4 + 3))


def test_the_order_of_targets_changes_nothing():
    answers, targets = ["abd", "pq"], [["abc", "abcd"], ["p", "pqr", "q"]]
    turned = [known[::-1] for known in targets]
    assert exact_match_and_edit_rate(answers, targets) == exact_match_and_edit_rate(answers, turned)


def test_empty_answers_and_targets_are_counted_and_no_error():
    assert exact_match_and_edit_rate([""], [["abc"]]) == (0, 1)
    assert exact_match_and_edit_rate(["ab"], [[""]]) == (0, 2)
