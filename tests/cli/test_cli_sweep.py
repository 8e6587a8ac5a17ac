"""`charrnn sweep`: every combination is a run, and the table tells the truth about each."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pytest
from sweeps import BASE

from charrnn.runs import checkpoint

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
EXPLODES = "optim: {name: sgd, clip_norm: null, learning_rate: [1e30, 1e-2]}"


# --- what comes of it -------------------------------------------------------------------------------------------------


def test_every_combination_is_a_run_and_the_table_is_sorted_and_true(grid, sweep, table, tmp_path, charrnn):
    grid("model.hidden_size: [6, 5], optim: {learning_rate: [1e-2, 3e-3]}")
    done = sweep("--jobs", 2).ok()
    rows = table()
    names = {f"hidden_size={size},learning_rate={rate}" for size in (6, 5) for rate in ("0.01", "0.003")}
    assert {row["run"] for row in rows} == names
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores)
    assert len({*scores}) == 4
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    for row, score in zip(rows, scores, strict=True):
        best = checkpoint.load(tmp_path / "out" / row["run"] / "best.npz")
        assert best.best == score
        assert str(best.config.model.hidden_size) == row["model.hidden_size"]
        assert best.config.optim.learning_rate == float(row["optim.learning_rate"])
        assert (row["iterations"], row["state"], row["error"]) == ("6", "done", "")
        assert float(row["seconds"]) > 0
    head, *lines = done.text.splitlines()
    assert head.split() == [key for key in rows[0] if key != "error"]
    assert [re.split(" {2,}", line.strip())[-2:] for line in lines] == [[row["run"], "done"] for row in rows]
    hint = done.err.splitlines()[-1].rpartition(": ")[2]
    assert hint == "charrnn report out/*/ -o out/report.html"


def test_a_run_is_what_training_alone_gives(grid, sweep, tmp_path, charrnn, text):
    grid()
    sweep("-q").ok()
    (tmp_path / "base.yaml").write_text(BASE, "utf-8")
    words = ["-c", "base.yaml", "--hidden-size", 5, "--set", "train.threads=1"]
    charrnn("train", text, "-o", "alone", "-q", *words).ok()
    swept, alone = (checkpoint.load(tmp_path / run / "last.npz") for run in ("out/hidden_size=5", "alone"))
    assert (swept.params.vector == alone.params.vector).all()


def test_a_task_that_is_better_with_more_is_sorted_so(grid, sweep, table, pairs):
    grid("train.seed: [1, 2, 3]", "{task: {name: classify}, train: {iterations: 8, eval_every: 2}}", pairs("classify"))
    found = sweep("--json", "-q").ok().json
    assert (found["measure"], found["higher_is_better"]) == ("accuracy", True)
    scores = [row["score"] for row in found["runs"]]
    assert scores == sorted(scores, reverse=True) == [float(row["score"]) for row in table()]
    assert {row["train.seed"] for row in found["runs"]} == {1, 2, 3}


def test_a_run_that_fails_stops_no_other_and_its_reason_is_in_the_table(grid, sweep, table):
    grid(EXPLODES)
    done = sweep()
    assert done.code == 5
    good, bad = table()
    assert (good["state"], good["rank"], good["optim.learning_rate"]) == ("done", "1", "0.01")
    assert (bad["state"], bad["rank"]) == ("failed", "")
    assert bad["optim.learning_rate"] == "1e+30"
    assert "diverged at iteration" in bad["error"]
    assert "failed: diverged at iteration" in done.text
    assert "charrnn: error: 1 of 2 runs failed" in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].endswith("charrnn sweep g.yaml -o out")


@needs_posix
def test_a_run_that_is_killed_is_one_that_fails(grid, sweep, table, pretend):
    pretend("NAME == 'hidden_size=6' and os.kill(os.getpid(), 9)")
    grid()
    done = sweep("-q")
    assert done.code == 6
    assert {row["run"]: row["state"] for row in table()} == {"hidden_size=6": "failed", "hidden_size=5": "done"}
    assert "ended by SIGKILL" in done.text


def test_the_code_is_that_of_the_first_in_the_grid_that_failed(grid, sweep, pretend):
    pretend("sys.exit({'seed=1': 0, 'seed=2': 3, 'seed=3': 5}[NAME])")
    grid("train.seed: [1, 2, 3]", BASE.replace(", seed: 1", ""))
    assert sweep("-q").code == 3


def test_runs_are_trained_at_once_and_no_more_than_were_asked_for(grid, sweep, pretend, tmp_path):
    pretend(
        "(PLACE / f'{NAME}.began').touch()\n"
        "others = lambda: len([*PLACE.glob('*.began')]) - len([*PLACE.glob('*.ended')])\n"
        "for _ in range(3000):\n"
        "    if others() > 2: sys.exit(9)\n"
        "    if others() == 2 or [*PLACE.glob('*.ended')]: break\n"
        "    time.sleep(0.01)\n"
        "else: sys.exit(8)\n"
        "(PLACE / f'{NAME}.ended').touch()"
    )
    grid("train.seed: [1, 2, 3, 4]", BASE.replace(", seed: 1", ""))
    sweep("--jobs", 2).ok()
    assert len([*(tmp_path / "out").glob("*.ended")]) == 4


def test_each_run_has_the_cores_that_are_its_own(grid, sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("charrnn.cores.available_cores", lambda: 6)
    grid("train.threads: [null, 2]")
    sweep("--jobs", 2, "-q").ok()
    found = {run.name: checkpoint.load(run / "last.npz").config.train.threads for run in (tmp_path / "out").glob("t*")}
    assert found == {"threads=null": 3, "threads=2": 2}


def test_runs_of_a_sweep_are_no_ranks_of_its_launcher(grid, sweep, table, monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    grid()
    sweep("-q").ok()
    assert [row["state"] for row in table()] == ["done", "done"]


@needs_posix
def test_a_terminal_has_one_line_for_all_runs(grid, tmp_path):
    import fcntl
    import struct
    import termios

    grid()
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    words = [sys.executable, "-m", "charrnn", "sweep", "g.yaml", "-o", "out"]
    env = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # what Linux says when the other end is closed
            while piece := os.read(ours, 4096):
                written += piece
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"\r *[5-9]\d% \|.*, 1 of 2 done, [01] running", written)
    assert b"/2  done" not in written


@pytest.mark.parametrize("kind", ["two", "folder", "documents", "dotted", "pairs"])
def test_all_ways_to_name_a_text_are_found_again(grid, sweep, tmp_path, text, pairs, kind):
    folder, base = tmp_path / "texts", BASE
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_bytes(text.read_bytes())
    source = {
        "two": "[texts/0.txt, texts/1.txt]",
        "folder": "texts",
        "documents": "texts",
        "dotted": "./texts/0.txt",
        "pairs": f"[{pairs('classify')}]",
    }[kind]
    if kind == "documents":
        base = base.replace("{model", "{data: {documents: lines}, model")
    if kind == "pairs":
        base = base.replace("{model", "{task: {name: classify}, model")
    grid(source=source, base=base)
    sweep("-q").ok()
    assert "2 runs in out; 2 are done\n" in sweep().ok().err


# --- before the first run ---------------------------------------------------------------------------------------------


def test_all_errors_are_told_before_the_first_run_begins(grid, sweep, tmp_path):
    grid("model.hidden_size: [6, 0], train.sed: [1]")
    sweep("--set", "optim.name=adamm").fails(2, "hidden_size is 0", "'train.seed'", "'adam'", lines=3)
    grid(source="nowhere.txt")
    sweep().fails(3, "nowhere.txt")
    grid(source="x" * 300)
    sweep().fails(3, "xxx")
    grid(base="x" * 300)
    sweep().fails(2, "xxx")
    assert not (tmp_path / "out").exists()


def test_a_grid_that_is_none_is_an_error(charrnn, tmp_path, text):
    charrnn("sweep", "none.yaml").fails(2, "none.yaml: no such grid")
    (tmp_path / "sizes.yaml").touch()
    charrnn("sweep", "sizs.yaml").fails(2, "sizs.yaml: no such grid; did you mean sizes.yaml?")
    charrnn("sweep", tmp_path).fails(2, "cannot be read")
    charrnn("sweep", "x" * 300).fails(2, "cannot be read")
    charrnn("sweep", "none.yaml", "--jobs", 0).fails(2, "--jobs")


@needs_posix
def test_a_pipe_is_no_text_as_it_is_read_once(grid, sweep, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    grid(source="pipe")
    sweep().fails(3, "pipe is a pipe")
