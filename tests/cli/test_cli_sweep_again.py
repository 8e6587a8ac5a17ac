"""A sweep that goes on: what is kept, resumed, tried again or refused."""

from __future__ import annotations

import pytest
from sweeps import BASE

from charrnn.runs import checkpoint
from charrnn.runs.lock import lock
from charrnn.sweeping import children
from charrnn.sweeping.looking_back import FREE
from charrnn.sweeping.sweep import LOCK
from charrnn.training.resuming import RESUMABLE


def test_what_is_done_is_kept_and_what_is_new_is_added(grid, sweep, table, tmp_path):
    grid()
    sweep("-q").ok()
    kept = tmp_path / "out" / "hidden_size=6" / "last.npz"
    before = kept.stat().st_mtime_ns
    grid("model.hidden_size: [6, 5, 4]")
    said = sweep().ok().err
    assert "3 runs in out; 2 are done" in said
    assert len(table()) == 3
    assert kept.stat().st_mtime_ns == before


def test_what_was_begun_goes_on_to_the_same_end(grid, sweep, table, tmp_path):
    grid(base=BASE.replace("eval_every: 2", "eval_every: 2, checkpoint_every: 2"))
    sweep("-q").ok()
    run, rows = tmp_path / "out" / "hidden_size=6", table()
    whole = checkpoint.load(run / "last.npz")
    (run / "prev.npz").replace(run / "last.npz")  # as if it had been killed there
    (run / "best.npz").unlink()
    assert checkpoint.load(run / "last.npz").iteration == 4
    sweep("-q").ok()
    assert "resuming at iteration 4" in (run / "train.log").read_text("utf-8")
    assert (checkpoint.load(run / "last.npz").params.vector == whole.params.vector).all()
    assert [{**row, "seconds": ""} for row in table()] == [{**row, "seconds": ""} for row in rows]


def test_a_run_whose_last_evaluation_is_missing_is_not_done(grid, sweep, table, tmp_path):
    grid()
    sweep("-q").ok()
    rows = table()
    last, metrics = (tmp_path / "out" / rows[0]["run"] / name for name in ("last.npz", "metrics.jsonl"))
    run = checkpoint.load(last)
    run.scores = None
    last.write_bytes(checkpoint.to_bytes(run))  # as a signal leaves it that comes in this evaluation
    metrics.write_text("".join(metrics.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")
    assert "2 runs in out; 1 are done" in sweep().ok().err
    assert checkpoint.load(last).scores is not None
    assert [row["score"] for row in table()] == [row["score"] for row in rows]


def test_what_failed_is_tried_again(grid, sweep, table, monkeypatch, pretend):
    grid()
    with monkeypatch.context() as patch:
        patch.setattr(children, "CHILD", "raise SystemExit(6)")
        assert sweep("-q").code == 6
    assert {row["state"] for row in table()} == {"failed"}
    sweep("-q").ok()
    assert {row["state"] for row in table()} == {"done"}


def test_what_may_differ_from_a_run_that_is_there_may_change_in_one_that_is_resumed():
    assert {*FREE} < {*RESUMABLE}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": BASE.replace("iterations: 6", "iterations: 7")}, "train.iterations was 6 and would be 7"),
        ({"base": BASE.replace("}}", "}, optim: {learning_rate: 0.5}}")}, "optim.learning_rate was 0.01 and would be"),
        ({"source": "harbour"}, "has learnt from"),
    ],
)
def test_runs_of_another_sweep_are_not_taken_for_these(grid, sweep, change, said):
    grid()
    sweep("-q").ok()
    grid(**change)
    error = sweep().fails(2, said, "out/hidden_size=6").err
    assert error.strip().endswith(": -o out-2")


def test_a_text_that_changed_between_two_runs_is_told(grid, sweep, tmp_path, text):
    (tmp_path / "t.txt").write_bytes(text.read_bytes())
    grid(source="t.txt")
    sweep("-q").ok()
    (tmp_path / "t.txt").write_bytes(text.read_bytes()[:-40])
    grid("model.hidden_size: [6, 5, 4]", source="t.txt")
    assert "charrnn: warning: the runs have not learnt from the same text: t.txt" in sweep("-q").ok().err


def test_a_directory_has_one_sweep_at_a_time_and_nothing_else(grid, sweep, tmp_path, charrnn):
    grid()
    (tmp_path / "out").mkdir()
    with lock(tmp_path / "out" / LOCK):
        sweep().fails(7, "out is in use by process")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").touch()
    charrnn("sweep", "g.yaml", "-o", "mine").fails(2, "mine holds other things", "-o mine/sweep")
