"""Checkpoints: all of a run comes back. What happens to damaged and hostile files is told in faults/."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os

import numpy as np
import pytest
from crafting import TEXT, craft, load_bytes, meta_of, same, small_run

import charrnn
from charrnn.environment import environment
from charrnn.errors import CheckpointError, OutputError
from charrnn.nn.cells import CELLS
from charrnn.optim import OPTIMIZERS
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.run import Run

# --- the way out and back ---


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_comes_back(cell, name, dtype, tmp_path):
    run = small_run(
        **{"model.cell": cell, "optim.name": name, "train.dtype": dtype},
        **{"model.num_layers": 2, "model.initial_state": "learned", "model.dropout": 0.2, "train.time_budget": 60},
        **{"optim.average": 0.9},
    )
    run.scores, run.best, run.elapsed, run.losses = {"nats": 1.25}, 0.1 + 0.2, 12.5, [1.5, 0.1 + 0.7]
    run.skipped, run.skipped_in_a_row, run.rollbacks, run.without_best, run.reductions = 4, 2, 1, 3, 2
    run.to_beat, run.without_improvement = 0.1 + 0.3, 3
    run.best_at, run.lowest, run.hopeless_in_a_row = 4, 0.1 + 0.6, 3
    run.average.vector[...] = run.params.vector / 3
    checkpoints.save(run, tmp_path / "c.npz")
    back = checkpoints.load(tmp_path / "c.npz")

    for each in dataclasses.fields(Run):
        if each.name not in ("params", "average", "slots", "state", "rng"):
            ours = getattr(run, each.name)
            assert getattr(back, each.name) == ours
            assert ours, "what is tested must differ from the default"
    assert back.params.keys() == run.params.keys()
    np.testing.assert_array_equal(back.params.vector, run.params.vector)
    np.testing.assert_array_equal(back.average.vector, run.average.vector)
    assert back.params.vector.dtype == back.average.vector.dtype == dtype
    assert back.slots.keys() == run.slots.keys()
    for slot in run.slots:
        np.testing.assert_array_equal(back.slots[slot], run.slots[slot])
        assert np.any(run.slots[slot])
    for ours, theirs in zip(back.state, run.state, strict=True):
        assert ours.keys() == theirs.keys()
        for key, array in ours.items():
            np.testing.assert_array_equal(array, theirs[key])
            assert np.any(array)
    assert back.rng.random(5).tolist() == run.rng.random(5).tolist()
    assert back.environment == environment()
    assert charrnn.load(str(tmp_path / "c.npz")).iteration == 5


def test_the_same_run_gives_the_same_bytes_and_so_does_what_was_loaded(small, whole, tmp_path):
    assert checkpoints.to_bytes(small) == whole
    assert checkpoints.to_bytes(small_run()) == whole
    assert checkpoints.to_bytes(load_bytes(whole, tmp_path / "c.npz")) == whole


def test_the_time_is_kept_only_where_the_clock_ends_the_run(small, tmp_path):
    small.elapsed = 99.0
    try:
        assert load_bytes(checkpoints.to_bytes(small), tmp_path / "c.npz").elapsed == 0
    finally:
        small.elapsed = 0.0


def test_a_checkpoint_crafted_without_a_change_is_the_same(small, whole, tmp_path):
    assert same(load_bytes(craft(whole), tmp_path / "c.npz"), small)


def test_the_file_is_an_npz_that_numpy_reads_with_members_as_documented(small, whole):
    stored = np.load(io.BytesIO(whole), allow_pickle=False)
    names = ["layers.0.W", "layers.0.b", "head.W", "head.b"]
    expected = ["__meta__", *names, *(f"optim.{slot}.{name}" for slot in "ms" for name in names), "optim.count"]
    assert sorted(stored.files) == sorted([*expected, "state.0.h", "state.0.c"])
    for name in names:
        np.testing.assert_array_equal(stored[name], small.params[name])
    assert stored["optim.count"].tolist() == [5]
    np.testing.assert_array_equal(stored["state.0.c"], small.state[0]["c"])

    meta = meta_of(whole)
    assert (meta["format"], meta["version"], meta["iteration"]) == ("charrnn", checkpoints.VERSION, 5)
    assert meta["vocabulary"] == {"symbols": "".join(sorted(TEXT.symbols)), "encoding": "utf-8", "fallback": False}
    assert meta["corpus"] == {"name": "a text", "size": TEXT.size, "sha256": TEXT.sha256}
    assert meta["config"]["model"]["hidden_size"] == 2
    assert meta["arrays"].keys() == set(stored.files) - {"__meta__"}
    for name, (dtype, shape, sha256) in meta["arrays"].items():
        array = stored[name]
        assert (array.dtype.str, list(array.shape)) == (dtype, shape)
        assert hashlib.sha256(array.tobytes()).hexdigest() == sha256


def test_a_directory_means_its_best_checkpoint_or_else_its_last(small, tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        checkpoints.load(tmp_path)
    checkpoints.save(small, tmp_path / "last.npz")
    assert checkpoints.find(tmp_path) == tmp_path / "last.npz"
    checkpoints.save(small, tmp_path / "best.npz")
    assert checkpoints.find(tmp_path) == tmp_path / "best.npz"
    assert same(checkpoints.load(tmp_path), small)


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(small, whole, tmp_path, monkeypatch):
    checkpoints.save(small, tmp_path / "c.npz")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left"):
        checkpoints.save(small, tmp_path / "c.npz")
    assert (tmp_path / "c.npz").read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
