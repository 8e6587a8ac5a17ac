"""What may be asked of a sample: one place refuses what means nothing, before anything is drawn."""

from __future__ import annotations

import math

import pytest
from interrupting import config

from charrnn.errors import ConfigError, DataError
from charrnn.runs.run import Corpus, Run
from charrnn.sampling import sample, write
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary

SYMBOLS = "\n abcdefgh"


@pytest.fixture(scope="module")
def run():
    return Run.new(config(), LanguageModel(Vocabulary(SYMBOLS)), Corpus("x", 1, ""))


REFUSED = [
    ("temperature", [math.nan, math.inf, -math.inf, -1, -1e-9, None, "1", True]),
    ("top_k", [0, -1, 2.5, "3", True]),
    ("top_p", [0, -0.5, 1.0000001, 2, math.nan, math.inf]),
    ("min_p", [-0.1, 1.5, 2, math.nan]),
    ("length", [-1, 1.5, None]),
    ("seed", [-1, 0.5]),
    ("repetition_penalty", [0, -1, math.nan, math.inf, None]),
    ("repetition_window", [0, -3, None]),
    ("best_of", [0, -1, 1.5, None]),
    ("max_copy", [0, -1, 1.5]),
    ("stop", ["", ["a", ""], "z", "az", "é", [b"a"], "abcdefghabcdefghabcde"]),
    ("allow", ["", "z", "az", 3]),
    ("ban", ["z", "az", SYMBOLS, 3, None]),
]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in REFUSED for value in values])
def test_what_means_nothing_is_refused_before_the_first_character(run, field, value):
    options = {"length": 20} | {field: value}
    with pytest.raises(ConfigError, match=rf"^{field} "):
        sample(run, "a", **options)
    with pytest.raises(ConfigError, match=rf"^{field} "):
        write(run, "a", **options)


@pytest.mark.parametrize("samples", [0, -1, 1.5])
def test_a_number_of_samples_that_is_none_is_refused(run, samples):
    with pytest.raises(ConfigError, match=r"^samples must"):
        write(run, "a", samples=samples)


def test_no_prompts_at_all_are_refused(run):
    with pytest.raises(ConfigError, match=r"^prompts are none"):
        write(run, [])


@pytest.mark.parametrize(
    "options",
    [
        {"top_p": 1.0},
        {"top_p": 1},
        {"min_p": 0.0},
        {"repetition_penalty": 1.0},
        {"top_k": 10**6},
        {"ban": ""},
        {"allow": SYMBOLS},
        {"stop": []},
        {"best_of": 1},
    ],
    ids=str,
)
def test_what_lets_everything_through_changes_nothing(run, options):
    assert "".join(sample(run, "a", 40, seed=1, **options)) == "".join(sample(run, "a", 40, seed=1))


def test_characters_that_cannot_appear_make_a_stop_text_impossible(run):
    with pytest.raises(ConfigError, match=r"'ab' can never appear: allow or ban leaves out 'b'"):
        sample(run, "a", stop="ab", ban="b")
    with pytest.raises(ConfigError, match=r"'ab' can never appear: allow or ban leaves out 'a'"):
        sample(run, "a", stop="ab", allow="b")
    sample(run, "a", stop="ab", allow="abc", ban="c")


def test_a_stop_text_may_be_as_long_as_what_is_written(run):
    sample(run, "a", length=5, stop="abcde")
    sample(run, "a", length=0, stop="abcde")
    with pytest.raises(ConfigError, match="in 4 characters"):
        sample(run, "a", length=4, stop="abcde")


def test_allow_and_ban_together_must_leave_something(run):
    with pytest.raises(ConfigError, match=r"^ban leaves no character"):
        sample(run, "a", allow="ab", ban="ab")


def test_unknown_prompts_and_labels_are_refused_at_once(run):
    with pytest.raises(DataError, match="never saw 'z'"):
        sample(run, "abz")
    with pytest.raises(ConfigError, match="had no labels"):
        sample(run, "a", label="Italian")


def test_an_option_that_there_is_not_is_an_error_of_python(run):
    with pytest.raises(TypeError, match="tempreature"):
        sample(run, "a", tempreature=1)


def test_the_end_of_documents_is_no_character_that_could_be_left_out():
    documents = DocumentModel(Vocabulary("ab"))
    run = Run.new(config(data__documents="lines"), documents, Corpus("x", 1, ""))
    assert {one.ended for one in write(run, samples=20, length=200, allow="a", seed=1)} == {"end"}
