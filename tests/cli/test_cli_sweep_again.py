"""A sweep that goes on: what is kept, resumed, tried again or refused, and what it leaves when it is stopped."""

from __future__ import annotations

import os
import shlex
import signal
import time

import pytest
from sweeps import BASE

from charrnn.errors import LockedError
from charrnn.runs import checkpoint
from charrnn.runs.lock import lock
from charrnn.sweeping import children
from charrnn.sweeping.sweep import LOCK

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def wait_until(happened):
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")


# --- again ------------------------------------------------------------------------------------------------------------


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


def test_what_failed_is_tried_again(grid, sweep, table, monkeypatch, pretend):
    grid()
    with monkeypatch.context() as patch:
        patch.setattr(children, "CHILD", "raise SystemExit(6)")
        assert sweep("-q").code == 6
    assert {row["state"] for row in table()} == {"failed"}
    sweep("-q").ok()
    assert {row["state"] for row in table()} == {"done"}


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


# --- stopped ----------------------------------------------------------------------------------------------------------

LONG = BASE.replace("iterations: 6, eval_every: 2", "iterations: 1000000, eval_every: 20, checkpoint_every: 20")


def train_both(tmp_path):
    return len([*(tmp_path / "out").glob("*/last.npz")]) == 2


def are_free(tmp_path):
    """Whether no process trains the runs: each holds the lock of its own, until it ends."""
    try:
        for run in (tmp_path / "out").glob("h*"):
            lock(run / ".lock").close()
    except LockedError:
        return False
    return True


@needs_posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_sweep_that_is_stopped_saves_all_and_says_how_it_goes_on(grid, start, table, tmp_path, name, charrnn):
    grid(base=LONG)
    place = tmp_path / "out"
    with start("sweep", "g.yaml", "--jobs", 2, "-o", place) as process:
        wait_until(lambda: train_both(tmp_path))
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert are_free(tmp_path)
    last = err.decode().splitlines()[-1]
    assert last.startswith(f"charrnn: error: stopped by {name}, and saved: 0 of 2 runs are done; continue with: ")
    assert {row["state"] for row in table()} == {"stopped"}
    for run in place.glob("h*"):
        assert "and saved; continue" in (run / "train.log").read_text("utf-8")
    again = shlex.split(last.rpartition("with: ")[2])
    assert again == ["charrnn", "sweep", "g.yaml", "--jobs", "2", "-o", str(place)]


@needs_posix
def test_runs_save_and_end_when_their_sweep_is_killed(grid, start, tmp_path):
    grid(base=LONG)
    place = tmp_path / "out"
    with start("sweep", "g.yaml", "--jobs", 2, "-o", place) as process:
        wait_until(lambda: train_both(tmp_path))
        assert not are_free(tmp_path)
        process.kill()
        process.wait(timeout=60)
        wait_until(lambda: are_free(tmp_path))
    for run in place.glob("h*"):
        assert "stopped by SIGTERM" in (run / "train.log").read_text("utf-8")
