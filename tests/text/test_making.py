"""Pairs that are made: every answer is right, no source comes twice, and a seed tells which."""

from __future__ import annotations

import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import ConfigError
from charrnn.resources import CORPORA
from charrnn.text.making import MONTHS, WAYS, WEEKDAYS, capitals, dates, sums, to_tsv


@pytest.mark.parametrize("digits", [1, 3, 9])
def test_sums_are_right_and_their_numbers_as_short_as_they_can_be_written(digits):
    for source, target in sums(50, digits, seed=1):
        a, b = source.split("+")
        assert str(int(a) + int(b)) == target
        assert [str(int(a)), str(int(b))] == [a, b]
        assert max(len(a), len(b)) <= digits


def test_numbers_of_each_length_are_added_about_equally_often():
    lengths = [len(number) for source, _ in sums(3000, 3, seed=0) for number in source.split("+")]
    assert all(0.25 < lengths.count(n) / len(lengths) < 0.4 for n in (1, 2, 3))


def test_reversed_sums_are_the_same_sums_written_backwards():
    plain, backwards = sums(40, 3, seed=2), sums(40, 3, seed=2, reverse=True)
    assert backwards == [(source[::-1], target) for source, target in plain]


@pytest.mark.parametrize("rows", [1, 50, 51, 99, 100])
def test_no_sum_comes_twice_and_all_of_them_can_be_had(rows):
    assert len({source for source, _ in sums(rows, 1, seed=0)}) == rows


def test_more_sums_than_there_are_is_an_error():
    with pytest.raises(ConfigError, match="there are 100 sums"):
        sums(101, 1, seed=0)


@pytest.mark.parametrize("make", [lambda seed: sums(99, 2, seed), lambda seed: dates(99, seed)], ids=["sums", "dates"])
def test_a_seed_gives_the_same_pairs_and_another_seed_others(make):
    assert make(3) == make(3)
    assert make(3) != make(4)


def test_capitals_leave_out_blank_lines_and_ends_of_lines():
    assert capitals("Ab C\r\n\n \t\nÉÑ,d\n  x") == [("ab c", "Ab C"), ("éñ,d", "ÉÑ,d"), ("  x", "  x")]


def test_a_letter_whose_small_form_is_longer_stays_as_it_is():
    assert capitals("İAẞ") == [("İaß", "İAẞ")]


@given(st.text())
def test_source_and_target_of_capitals_are_equally_long(text):
    assert all(len(source) == len(target) for source, target in capitals(text))


def read(source):
    """The date that a person reads, by other means than it was written."""
    words = re.findall(r"[A-Za-z]+|\d+", source)
    named = [w for w in words if w[:3] in [m[:3] for m in MONTHS] and w not in WEEKDAYS]
    numbers = [int(w) for w in words if w.isdigit()]
    if named:
        month = [m[:3] for m in MONTHS].index(named[0][:3]) + 1
        a, b = numbers
        year, day = (a, b) if a > 99 else (b, a)
    else:
        a, month, b = numbers
        year, day = (a, b) if a > 99 else (b, a)
    year += 0 if year > 99 else 1900 if year >= 50 else 2000
    date = datetime.date(year, month, day)
    weekday = [w for w in words if w in WEEKDAYS]
    assert weekday in ([], [WEEKDAYS[date.weekday()]])
    return date.isoformat()


def test_dates_are_those_that_a_person_reads_in_them():
    found = dates(3000, seed=5)
    assert [read(source) for source, _ in found] == [target for _, target in found]
    assert len({source for source, _ in found}) == 3000


def test_every_way_to_write_a_date_is_met():
    shapes = {re.sub("[A-Za-z]+", "a", re.sub(r"\d+", "0", source)) for source, _ in dates(500, seed=0)}
    alike = {"0 a 0", "a 0 0", "0.0.0"}  # the shape of more ways than one, or of few
    assert {"a, 0 a 0", "a 0a a a 0", "a 0a, 0", "a 0, 0", "0-a-0", "0/0/0"} | alike <= shapes
    assert len(WAYS) == 12


@pytest.mark.parametrize(
    ("day", "ordinal"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (23, "23rd")]
)
def test_days_have_the_endings_of_english(day, ordinal):
    assert any(source.startswith(f"the {ordinal} of ") for source, target in dates(9000, 1) if int(target[-2:]) == day)


def test_more_dates_than_there_are_is_an_error():
    with pytest.raises(ConfigError, match="there are 435,200 such dates"):
        dates(1_000_000, seed=0)


def test_what_would_break_a_line_or_a_column_is_escaped():
    assert list(to_tsv([("a\tb", "c\nd\\"), ("e", "")])) == ["a\\tb\tc\\nd\\\\\n", "e\t\n"]


# --- the shipped ones ---


def shipped(name):
    data = (CORPORA / name).read_bytes()
    assert len(data) < 120_000
    assert b"\r" not in data
    return [tuple(line.split("\t")) for line in data.decode("utf-8").split("\n")[:-1]]


def test_the_shipped_capitals_are_made_of_the_harbour_book():
    text = (CORPORA / "harbour.txt").read_text("utf-8")
    assert shipped("capitals.tsv") == capitals(text)[:1130]


def test_the_shipped_dates_are_those_of_the_first_seed():
    assert shipped("dates.tsv") == dates(3000, 0)


def test_the_shipped_words_are_of_five_languages_and_none_comes_twice_in_one():
    pairs = shipped("words.tsv")
    assert len(set(pairs)) == len(pairs)
    languages = [language for language, _ in pairs]
    assert sorted(set(languages)) == ["English", "Finnish", "German", "Italian", "Polish"]
    assert all(languages.count(language) >= 300 for language in set(languages))
    assert all(word.isalpha() and word == word.lower() for _, word in pairs)
