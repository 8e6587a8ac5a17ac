"""States of texts as files: what is gone on with is what it would have been, and belongs to its weights."""

from __future__ import annotations

import numpy as np
import pytest
from test_sampling_options import SYMBOLS, random_run

from charrnn.errors import CheckpointError, ConfigError
from charrnn.runs import archive
from charrnn.sampling import Request, Writing, written
from charrnn.sampling.filters import Filters
from charrnn.sampling.states import load
from charrnn.tasks.documents import DocumentModel
from charrnn.tasks.generate import Generate
from charrnn.tasks.language_model import LanguageModel
from charrnn.text.vocabulary import Vocabulary


def language_model(**changes):
    return random_run(LanguageModel(Vocabulary(SYMBOLS)), model__num_layers=2, **changes)


def generate():
    return random_run(Generate(Vocabulary("abcdefgh"), ("one", "other"), (1, 2)), task__name="generate")


@pytest.fixture
def keep(tmp_path):
    """Writes texts, keeps their state in a file, and reads it again."""

    def keep(run, request, samples=1):
        texts, path = [], tmp_path / "state.npz"
        texts = [one.text for one in written(run, request, samples, keep=lambda state: state.save(path))]
        return texts, load(path, run.model, run.weights, run.model.num_outputs)

    return keep


def texts_of(run, request, samples=1, state=None):
    return [one.text for one in written(run, request, samples, state=state)]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "lstm_fgr"])
@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 3.0, "repetition_window": 20}], ids=str)
def test_what_is_gone_on_with_is_what_one_piece_would_have_been(cell, options, keep):
    run = language_model(model__cell=cell)
    whole = texts_of(run, Request(("ab", "h"), 60, seed=3, **options), 2)
    first, state = keep(run, Request(("ab", "h"), 25, seed=3, **options), 2)
    rest = texts_of(run, Request(length=35, **options), state=state)
    assert [a + b for a, b in zip(first, rest, strict=True)] == whole


def test_it_can_be_gone_on_with_again_and_again(keep):
    run = language_model()
    whole = texts_of(run, Request(("ab",), 60, seed=3))
    first, state = keep(run, Request(("ab",), 0, seed=3))
    parts = [*first]
    for _ in range(3):
        kept = []
        parts += [one.text for one in written(run, Request(length=20), state=state, keep=kept.append)]
        (state,) = kept
    assert ["".join(parts)] == whole


def test_several_samples_branch_and_another_seed_makes_others(keep):
    run = language_model()
    _, state = keep(run, Request(("ab",), 20, seed=3))
    branches = texts_of(run, Request(length=30, seed=1), 3, state)
    assert len(set(branches)) == 3
    assert branches == texts_of(run, Request(length=30, seed=1), 3, state)
    greedy = Filters(temperature=0)
    assert len(set(texts_of(run, Request(length=30, filters=greedy), 3, state))) == 1


def test_a_prompt_is_read_after_what_was_written(keep):
    run = language_model()
    greedy = Filters(temperature=0)
    (first,), state = keep(run, Request(("ab",), 20, seed=3))
    assert texts_of(run, Request(("cafe",), 30, filters=greedy), state=state) == texts_of(
        run, Request((f"ab{first}cafe",), 30, filters=greedy)
    )


def test_labels_are_kept_and_no_other_can_be_given(keep):
    run = generate()
    run.params["head.b"][run.task.end] = -50
    _, state = keep(run, Request(length=9, seed=3), 8)
    told = [one.label for one in written(run, Request(length=5), state=state)]
    assert told == [one.label for one in written(run, Request(length=9, seed=3), 8)]
    assert len(set(told)) == 2
    with pytest.raises(ConfigError, match=r"^label is kept"):
        texts_of(run, Request(label="one"), state=state)


def test_texts_that_stopped_go_on_behind_the_stop_and_documents_that_ended_do_not(keep):
    run = language_model()
    whole = texts_of(run, Request(("ab",), 60, seed=3))[0]
    stop = whole[20:23]
    (first,), state = keep(run, Request(("ab",), 60, seed=3, stop=(stop,)))
    assert first + stop + texts_of(run, Request(length=60 - len(first) - 3), state=state)[0] == whole
    documents = random_run(DocumentModel(Vocabulary("abcdefgh")), data__documents="lines")
    first, state = keep(documents, Request(length=4, seed=3), 40)
    ended = [why == "end" for why in state.ended]
    assert 0 < sum(ended) < 40
    rest = list(written(documents, Request(length=30), state=state))
    assert all((one.text, one.ended) == ("", "end") for one, over in zip(rest, ended, strict=True) if over)
    whole = texts_of(documents, Request(length=34, seed=3), 40)
    assert [a + b.text for a, b in zip(first, rest, strict=True)] == whole
    over = next(k for k, one in enumerate(ended) if one)
    state.ended = [state.ended[over]] * 40
    with pytest.raises(ConfigError, match="have come to their end"):
        texts_of(documents, Request(), state=state)


def test_a_text_that_has_ended_does_not_move_while_others_are_drawn(keep):
    run = language_model()
    stop = "de"
    texts, state = keep(run, Request(("ab",), 60, seed=3, stop=(stop,)), 8)
    assert len(set(map(len, texts))) > 1
    greedy = Filters(temperature=0)
    rest = texts_of(run, Request(length=20, filters=greedy), state=state)
    for text, why, after in zip(texts, state.ended, rest, strict=True):
        read = "ab" + text + (stop if why == "stop" else "")
        assert texts_of(run, Request((read,), 20, filters=greedy)) == [after]


def test_a_state_belongs_to_its_weights(keep, tmp_path):
    run = language_model()
    keep(run, Request(("ab",), 5, seed=3))
    run.params.vector[0] += 1
    with pytest.raises(CheckpointError, match="other weights; give --load-state with the checkpoint"):
        load(tmp_path / "state.npz", run.model, run.weights, run.model.num_outputs)


def test_the_best_of_several_has_no_state():
    run = language_model()
    with pytest.raises(ConfigError, match=r"^best_of leaves some"):
        written(run, Request(best_of=2), keep=lambda state: None)


def test_many_long_texts_have_a_state_too(keep, tmp_path):
    run = language_model()
    (text,), state = keep(run, Request(("abcdefgh" * 128,), 2, seed=3))
    state.repeated(900).save(tmp_path / "many.npz")
    many = load(tmp_path / "many.npz", run.model, run.weights, run.model.num_outputs)
    assert many.written == state.written * 900
    assert (many.ended, len(many.written[0])) == (["length"] * 900, 1024)
    assert run.task.vocabulary.decode(np.array(many.written[7][-2:])) == text


DAMAGE = {
    "format": "charrnn",
    "version": 2,
    "rows": 10**12,
    "width": 10**12,
    "pending": np.array([99], np.int32),
    "written": np.full((1, 7), -2, np.int32),
    "ended": np.array([9], np.int8),
    "labels": np.array([0], np.int32),
    "seed": -1,
    "rng": {"bit_generator": "PCG64"},
}


@pytest.mark.parametrize("key", DAMAGE)
def test_a_file_that_was_tampered_with_is_refused_in_one_line(keep, tmp_path, key):
    run, path = language_model(), tmp_path / "state.npz"
    keep(run, Request(("ab",), 5, seed=3))
    with archive.open_archive(path) as opened:
        meta = opened.read_meta()
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != archive.META}
    del meta["arrays"]
    damaged = arrays if isinstance(DAMAGE[key], np.ndarray) else meta
    assert key == "labels" or np.shape(damaged[key]) == np.shape(DAMAGE[key])
    damaged[key] = DAMAGE[key]
    path.write_bytes(archive.to_bytes(meta, arrays))
    with pytest.raises(CheckpointError, match="is not the state of a text") as error:
        load(path, run.model, run.weights, run.model.num_outputs)
    assert "\n" not in str(error.value)


def test_nothing_is_kept_that_was_not_asked_for():
    writing = Writing(language_model(), Request(("ab",), 20, seed=3), 3)
    writing.whole()
    assert writing.shown is None
    assert writing.generator.done is None
