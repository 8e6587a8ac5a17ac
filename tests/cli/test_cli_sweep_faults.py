"""What befalls a sweep: signals, kills, a full disk, runs that others still train."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest
from crashing import ALWAYS, Fault, Faults, watched
from sweeps import BASE

from charrnn.runs.lock import is_locked, lock
from charrnn.sweeping.sweep import Sweep

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")

LONG = BASE.replace("iterations: 6, eval_every: 2", "iterations: 1000000, eval_every: 20, checkpoint_every: 20")
SOME = BASE.replace("iterations: 6, eval_every: 2", "iterations: 1200, eval_every: 100, checkpoint_every: 100")


def wait_until(happened):
    for _ in range(6000):
        if happened():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")


def train_both(tmp_path):
    return len([*(tmp_path / "out").glob("*/last.npz")]) == 2


def are_free(tmp_path):
    """Whether no process trains the runs: each holds the lock of its own, until it ends."""
    return not any(is_locked(run / ".lock") for run in (tmp_path / "out").glob("h*"))


def logs(tmp_path):
    return [(run / "train.log").read_text("utf-8") for run in (tmp_path / "out").glob("h*")]


# --- signals ----------------------------------------------------------------------------------------------------------


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
    assert all("and saved; continue" in log for log in logs(tmp_path))
    again = shlex.split(last.rpartition("with: ")[2])
    assert again == ["charrnn", "sweep", "g.yaml", "--jobs", "2", "-o", str(place)]


@needs_posix
def test_a_signal_to_save_reaches_every_run_and_all_go_on(grid, start, tmp_path):
    grid(base=LONG.replace("checkpoint_every: 20", "checkpoint_every: 1000000"))
    with start("sweep", "g.yaml", "--jobs", 2, "-o", "out") as process:
        wait_until(lambda: len([*(tmp_path / "out").glob("*/best.npz")]) == 2)
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: all("as SIGUSR1 asked for" in log for log in logs(tmp_path)))
        assert process.poll() is None
        assert not are_free(tmp_path)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert "all runs save, as SIGUSR1 asked for" in err.decode()


@needs_posix
def test_a_run_that_is_told_to_save_before_it_has_begun_is_not_killed_by_that():
    slow = "import sys, time; from charrnn.cli import child; child.program.main = lambda: time.sleep(0.3); child.main()"
    with subprocess.Popen([sys.executable, "-c", slow], stdin=subprocess.PIPE) as process:
        process.stdin.write(b"s")
        process.stdin.flush()
        assert process.wait(timeout=60) == 0


# --- kills ------------------------------------------------------------------------------------------------------------


@needs_posix
def test_runs_save_and_end_when_their_sweep_is_killed_and_go_on_to_the_same_end(grid, start, sweep, table, tmp_path):
    grid(base=SOME)
    sweep("-q", "-o", "out").ok()
    (tmp_path / "out").rename(tmp_path / "whole")
    with start("sweep", "g.yaml", "--jobs", 2, "-o", "out") as process:
        wait_until(lambda: train_both(tmp_path))
        process.kill()
    sweep("-q").ok()  # at once, while they may be saving
    assert are_free(tmp_path)
    assert any("stopped by SIGTERM" in log for log in logs(tmp_path))
    for run in (tmp_path / "out").glob("h*"):
        assert (run / "last.npz").read_bytes() == (tmp_path / "whole" / run.name / "last.npz").read_bytes()
    assert {row["state"] for row in table()} == {"done"}


@needs_posix
def test_a_run_that_is_killed_fails_alone_and_goes_on_the_next_time(grid, sweep, table, tmp_path, monkeypatch):
    grid(base=SOME)
    place, killed = tmp_path / "out" / "hidden_size=6", []

    def kill(sweep_, number, *others):
        begin(sweep_, number, *others)
        child = sweep_._running[number]
        if not killed:
            wait_until((place / "last.npz").exists)
            child.kill()
            killed.append(child)

    begin = Sweep._begin
    with monkeypatch.context() as patch:
        patch.setattr(Sweep, "_begin", kill)
        assert sweep("-q").code == 6
    good, bad = table()
    assert (good["state"], bad["state"], bad["run"]) == ("done", "failed", "hidden_size=6")
    assert bad["error"].startswith("ended by SIGKILL")
    sweep("-q").ok()
    assert "resuming at iteration" in (place / "train.log").read_text("utf-8")
    assert {row["state"] for row in table()} == {"done"}


# --- disks and locks --------------------------------------------------------------------------------------------------


def test_a_disk_too_full_for_the_table_is_one_warning_and_all_runs_are_trained(grid, sweep, table, tmp_path):
    grid()
    with watched(tmp_path / "out", Faults([Fault("ENOSPC", "write", on=".sweep.tsv.tmp-*", last=ALWAYS)])):
        done = sweep("-q").ok()
    assert [line.split(": ")[:3] for line in done.err.splitlines()] == [
        ["charrnn", "warning", "cannot write out/sweep.tsv"]
    ]
    assert done.text.count(" done") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if "sweep" in path.name) == [".sweep-lock"]
    sweep("-q").ok()
    assert {row["state"] for row in table()} == {"done"}


def test_a_run_that_another_process_still_saves_is_waited_for(grid, sweep, table, tmp_path):
    grid()
    place = tmp_path / "out" / "hidden_size=6"
    place.mkdir(parents=True)
    (tmp_path / "out" / ".sweep-lock").touch()
    held = lock(place / ".lock")
    threading.Timer(0.5, held.close).start()
    said = sweep("-q").ok().err
    assert "charrnn: warning: another process still trains out/hidden_size=6" in said
    assert {row["state"] for row in table()} == {"done"}


def test_a_run_that_another_process_does_not_leave_fails_alone(grid, sweep, table, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.sweeping.sweep.PATIENCE", 0)
    grid()
    place = tmp_path / "out" / "hidden_size=6"
    place.mkdir(parents=True)
    (tmp_path / "out" / ".sweep-lock").touch()
    with lock(place / ".lock"):
        assert sweep("-q").code == 7
    good, bad = table()
    assert (good["state"], bad["state"]) == ("done", "failed")
    assert "is in use by process" in bad["error"]
