"""What is reached in so many minutes: the loss in blocks, and the row of a run."""

from __future__ import annotations

import numpy as np
import pytest
from driving import FOXES
from results import minutes

import charrnn as package
from charrnn.nn.head import nats
from charrnn.nn.model import CharLM
from charrnn.recipes import rule


def test_each_block_begins_with_an_empty_state_and_all_of_its_characters_count(monkeypatch):
    monkeypatch.setattr(minutes, "AT_ONCE", 2)
    model = CharLM(vocab_size=7, cell="gru", hidden_size=5)
    params = model.init_params(np.random.default_rng(1), np.float64)
    ids = np.random.default_rng(2).integers(7, size=36)  # three blocks of 10 whose last targets are there, and a rest
    expected = []
    for start in (0, 10, 20):
        logits, _ = model.forward(params, ids[start : start + 10, None], model.zero_state(1, np.float64))
        expected.append(nats(logits, ids[start + 1 : start + 11, None]).mean())
    assert minutes.nats_in_blocks(model, params, ids, block=10) == pytest.approx(np.mean(expected), rel=1e-6)


def test_a_row_has_the_best_loss_of_the_run(tmp_path):
    source = tmp_path / "foxes.txt"
    source.write_text(FOXES * 60, "utf-8")
    split = {"data.split": [0.9, 0.1, 0]}
    package.train(source, split, iterations=3, seed=1, hidden_size=6, out=tmp_path / "1m-1")
    (row,) = minutes.rows(source, [1], [1], tmp_path, judge=True)
    run = package.load(tmp_path / "1m-1")
    assert row[:4] == ["1 min", "1", f"{rule.CELL} 1x6", f"{run.best:.3f}"]
    assert 0 < float(row[4]) < 6
