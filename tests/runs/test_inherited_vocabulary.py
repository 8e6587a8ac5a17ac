"""`data.vocabulary`: a run from old weights knows the characters of its own text, of the old run, or of both."""

from __future__ import annotations

import numpy as np
import pytest

from charrnn.errors import ConfigError, DataError
from charrnn.tasks.classify import Classify
from charrnn.text.documents import Documents
from charrnn.text.encoding import decode
from charrnn.text.pairs import Pairs
from charrnn.training import preparing
from charrnn.training.fine_tuning import gentler


@pytest.fixture
def prepare(settle):
    def prepare(characters, old=None, **changes):
        encoding = changes.get("data__encoding", "utf-8")
        filled = decode([(characters * 200).encode(encoding.replace("bytes", "utf-8"))], "a text", encoding)
        return preparing.prepare(settle(**changes), filled, old)

    return prepare


def rows(run):
    """What the output layer has for each character, and each byte."""
    names = run.task.symbols(run.model)["head.W"].names
    return {name: (*run.params["head.W"][:, i], run.params["head.b"][i]) for i, name in enumerate(names)}


@pytest.mark.parametrize(
    ("how", "symbols", "new", "gone"),
    [("keep", "abdf", "", ""), ("union", "abdfz", "z", ""), ("new", "adz", "z", "bf")],
)
def test_whose_characters_have_symbols_is_chosen_and_told(prepare, rng, how, symbols, new, gone):
    old = prepare("abdf").run
    old.params.vector[...] = rng.standard_normal(old.params.vector.size)
    text = "ad" if how == "keep" else "adz"
    run, _, notes = prepare(text, old, data__vocabulary=how)
    assert run.task.vocabulary.symbols == symbols
    assert [note for note in notes if "new to the weights" in note] == (
        [f"characters new to the weights: {new!r}"] if new else []
    )
    lost = [note for note in notes if "this text has not" in note]
    assert bool(lost) == bool(gone)
    if gone:
        assert f"{gone!r}, lost" in lost[0]
        assert lost[0].endswith("--set data.vocabulary=union")
    before, after = rows(old), rows(run)
    for symbol in set(symbols) & set("abdf"):
        assert after[symbol] == before[symbol]
    assert not any(np.any(array) for array in run.slots.values())


def test_a_character_that_the_old_run_had_not_cannot_be_kept_and_both_ways_out_work(prepare):
    old = prepare("abdf").run
    with pytest.raises(DataError) as error:
        prepare("adz漢", old, data__vocabulary="keep")
    said = str(error.value)
    assert "'z' (U+007A)" in said
    assert "--set data.vocabulary=union" in said
    assert "--set data.min_count=1" in said
    union = prepare("adz漢", old, data__vocabulary="union").run
    assert union.task.vocabulary.symbols == "abdfz漢"
    run, _, notes = prepare("adz漢", old, data__vocabulary="keep", data__min_count=1)
    assert (run.task.vocabulary.symbols, run.task.vocabulary.fallback) == ("abdf", True)
    assert notes[-1] == "new to the weights: the bytes in which all other characters are spelled"


def test_an_old_run_that_spells_goes_on_spelling(prepare, rng):
    old = prepare("aaabbb漢", data__min_count=300).run
    old.params.vector[...] = rng.standard_normal(old.params.vector.size)
    run, _, notes = prepare("abé漢", old, data__vocabulary="keep")
    assert run.task.vocabulary == old.task.vocabulary
    assert rows(run) == rows(old)
    assert notes == ["2 of 4 distinct characters, 50 % of the text, are spelled in bytes"]


def test_bytes_that_spell_move_behind_more_characters(prepare, rng):
    old = prepare("ab漢", data__min_count=300, data__split=[1, 0, 0], data__max_vocab=2).run
    old.params.vector[...] = rng.standard_normal(old.params.vector.size)
    run, _, notes = prepare("abcd漢", old, data__vocabulary="union")
    before, after = rows(old), rows(run)
    assert (run.task.vocabulary.symbols, run.task.vocabulary.fallback) == ("abcd漢", True)
    assert {b: after[b] for b in range(256)} == {b: before[b] for b in range(256)}
    assert notes[0].startswith("characters new to the weights: ")


def test_characters_are_not_kept_as_bytes(prepare):
    old = prepare("abé", data__encoding="bytes").run
    with pytest.raises(ConfigError, match=r"symbols of one kind.*--set data\.vocabulary=new"):
        prepare("ab", old, data__vocabulary="union")


@pytest.mark.parametrize("how", ["keep", "union"])
def test_without_old_weights_there_is_nothing_to_keep(prepare, how):
    with pytest.raises(ConfigError, match=rf"{how} .*--init-from CHECKPOINT.*--set data\.vocabulary=new"):
        prepare("abc", data__vocabulary=how)


def test_documents_keep_the_characters_of_a_text(prepare, settle):
    old = prepare("abdf\n").run
    documents = Documents("names", 1, "a sum", ["fad", "bad", "dab"] * 9)
    config = settle(data__documents="lines", data__vocabulary="keep", data__split=[1, 0, 0])
    run, _, notes = preparing.prepare(config, documents, old)
    assert run.task.vocabulary.symbols == "\nabdf"
    assert run.model.vocab_size == run.task.end + 1 == 6
    assert notes == []


@pytest.mark.parametrize(("how", "symbols"), [("keep", "abdf"), ("union", "abdfyz")])
def test_a_classifier_may_know_the_characters_of_old_weights(prepare, settle, how, symbols):
    """What it does not keep is the unknown character to it, for which it has a symbol anyway."""
    old = prepare("abdf").run
    pairs = Pairs("pairs", 1, "a sum", ["one", "two"] * 9, ["az", "by"] * 9)
    config = settle(task__name="classify", data__vocabulary=how, data__split=[1, 0, 0], model__bidirectional=False)
    run = preparing.prepare(config, pairs, old).run
    assert isinstance(run.task, Classify)
    assert run.task.vocabulary.symbols == symbols


def test_a_rate_that_nobody_chose_is_a_fifth_of_the_default(settle):
    config = settle()
    (lower,) = gentler(config, {"optim.learning_rate": "default"})
    assert (lower.path, lower.value) == ("optim.learning_rate", config.optim.learning_rate / 5)
    assert gentler(config, {"optim.learning_rate": "--set optim.learning_rate=0.1"}) == []
    least = settle(optim__min_learning_rate=0.005, optim__learning_rate=0.01)
    assert gentler(least, {"optim.learning_rate": "default"})[0].value == 0.005
