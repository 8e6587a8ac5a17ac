"""A part that is judged in pieces is worth what it is worth as a whole."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from task_runs import ITEMS, written

from charrnn import tasks
from charrnn.config.resolve import Setting, resolve
from charrnn.judging.evaluation import EvaluationStopped
from charrnn.judging.tallies import added
from charrnn.resources import CORPORA
from charrnn.text.corpus import Library
from charrnn.training.preparing import prepare

TEXT = "".join(f"{n} men and {n * n % 97} dogs\n" for n in range(300))
KINDS = {
    "language_model": {},
    "columns": {"data.split_by": "columns"},
    "bytes for rare characters": {"data.min_count": 200},
    "documents": {"data.documents": "lines"},
    "long documents": {"data.documents": "7", "train.seq_length": 6},
    "documents with rare characters": {"data.documents": "lines", "data.min_count": 200},
    **{name: {"task.name": name} for name in ITEMS},
}


@pytest.fixture(params=KINDS)
def prepared(request, tmp_path):
    """A run of float64 numbers, before its first update, and its parts."""
    values = {"model.hidden_size": 4, "train.batch_size": 3, "train.seq_length": 6, "train.seed": 1}
    values |= {"train.dtype": "float64", "data.split": [0.5, 0.5, 0], **KINDS[request.param]}
    config = resolve([Setting(key, value, "test") for key, value in values.items()])[0]
    path = tmp_path / "text.txt"
    path.write_text(written(ITEMS[config.task.name]) if config.task.name in ITEMS else TEXT)
    library = Library(CORPORA, tmp_path / "cache")
    found = prepare(config, tasks.find(config.task.name, config.data).read(library, [str(path)], config.data))
    found.run.params.vector *= 3  # so that answers differ
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_the_tallies_of_all_pieces_make_the_scores_of_the_whole(prepared, count):
    run, split, _ = prepared
    task, part = run.task, split.validation
    assert "pieces" in task.abilities
    pieces = pickle.loads(pickle.dumps(task.pieces(part, count)))  # as another process has them
    assert len(pieces) == count
    tallies = [task.tally(run.model, run.params, piece, lambda: False) for piece in pieces if piece is not None]
    scores = task.scores_of(added(tallies), part)
    assert scores == pytest.approx(task.judge(run.model, run.params, part, lambda: False), rel=1e-12, abs=1e-12)
    if count == 1000:
        assert None in pieces


def test_a_tally_ends_when_it_is_asked_to(prepared):
    run, split, _ = prepared
    (piece,) = run.task.pieces(split.validation, 1)
    with pytest.raises(EvaluationStopped):
        run.task.tally(run.model, run.params, piece, lambda: True)


@pytest.mark.parametrize("prepared", [*KINDS][:3], indirect=True)
def test_a_piece_of_a_text_has_the_symbols_that_it_needs_and_no_others(prepared):
    run, split, _ = prepared
    pieces = [piece for piece in run.task.pieces(split.validation, 3) if piece is not None]
    for piece in pieces:
        assert len(piece.ids) <= len(piece) + 130 * piece.batch_size + int(np.ptp(piece.lengths)) * piece.batch_size
