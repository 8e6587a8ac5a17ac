"""A run directory: rotation, lock, strays, metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from charrnn.errors import CheckpointError, ConfigError, DivergedError, LockedError, OutputError
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs import directory as module
from charrnn.runs.directory import RunDirectory


@pytest.fixture
def run(begin):
    """A run before its first update."""
    return begin()


def save_at(run, iteration):
    run.run.iteration = iteration
    run.saver.save()


def iterations(directory):
    return {path.name: checkpoints.load(path).iteration for path in directory.path.glob("*.npz")}


def strays(directory):
    return [path.name for path in directory.path.iterdir() if ".tmp-" in path.name]


def test_what_was_last_becomes_previous_and_both_load(run):
    save_at(run, 1)
    assert iterations(run.directory) == {"last.npz": 1}
    save_at(run, 2)
    save_at(run, 3)
    assert iterations(run.directory) == {"last.npz": 3, "prev.npz": 2}
    assert strays(run.directory) == []


def test_rotation_works_where_there_are_no_hard_links(run, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *a: (_ for _ in ()).throw(OSError("no links")))
    for iteration in (1, 2, 3):
        save_at(run, iteration)
    assert iterations(run.directory) == {"last.npz": 3, "prev.npz": 2}


def test_after_saves_that_failed_and_that_did_not_nothing_temporary_is_left(run, monkeypatch):
    save_at(run, 1)
    save_at(run, 2)
    real = module.replace
    monkeypatch.setattr(module, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for iteration in (3, 4):
        with pytest.raises(OutputError):
            save_at(run, iteration)
        assert iterations(run.directory) == {"last.npz": 2, "prev.npz": 1}
        assert strays(run.directory) == []
    monkeypatch.setattr(module, "replace", real)
    save_at(run, 5)
    assert iterations(run.directory) == {"last.npz": 5, "prev.npz": 2}
    assert strays(run.directory) == []


def test_the_newest_whole_checkpoint_is_found_and_damaged_ones_are_told(run):
    save_at(run, 1)
    save_at(run, 2)
    run.directory.save_best(run.run)
    last, best = run.directory.path / "last.npz", run.directory.path / "best.npz"
    assert run.directory.newest()[0].iteration == 2
    last.write_bytes(last.read_bytes()[:-100])
    found, damaged = run.directory.newest()
    assert found.iteration == 2  # best
    assert [str(last) in message for message in damaged] == [True]
    best.write_bytes(b"")
    found, damaged = run.directory.newest()
    assert found.iteration == 1  # prev
    assert len(damaged) == 2
    (run.directory.path / "prev.npz").write_bytes(b"x")
    with pytest.raises(CheckpointError) as error:
        run.directory.newest()
    assert len(error.value.messages) == 3


def test_a_directory_without_a_checkpoint_cannot_be_resumed(run):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        run.directory.newest()


@pytest.mark.anywhere
def test_a_second_process_is_told_who_holds_the_directory_and_has_it_later(run):
    path = run.directory.path
    code = (
        "import sys\nfrom pathlib import Path\nfrom charrnn.errors import CharrnnError\n"
        "from charrnn.runs.directory import RunDirectory\n"
        "try: RunDirectory(Path(sys.argv[1]), resume=True)\n"
        "except CharrnnError as error: print(error); sys.exit(error.exit_code)\n"
    )

    def attempt():
        return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)

    refused = attempt()
    assert refused.returncode == 7
    assert f"{path} is in use by process {os.getpid()} on " in refused.stdout
    run.close()
    assert attempt().returncode == 0


def test_the_lock_is_free_after_close_and_held_until_then(run):
    with pytest.raises(LockedError, match="wait for it, or choose another directory"):
        RunDirectory(run.directory.path)
    run.close()
    RunDirectory(run.directory.path, resume=True).close()


def test_a_directory_that_holds_a_run_is_never_begun_again(run):
    save_at(run, 1)
    run.close()
    with pytest.raises(ConfigError, match="already holds a run; choose another directory with -o, or continue it"):
        RunDirectory(run.directory.path)
    RunDirectory(run.directory.path, resume=True).close()  # and the refusal gave the lock back


def test_what_is_not_a_run_cannot_be_resumed_and_is_not_made(tmp_path):
    with pytest.raises(ConfigError, match="is not a run directory"):
        RunDirectory(tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        RunDirectory(tmp_path / "file")


def test_temporary_files_of_a_killed_process_are_removed_and_nothing_else(run):
    run.close()
    path = run.directory.path
    for name in (".last.npz.tmp-1a2b", ".prev.npz.tmp-77", "my.tmp-notes", ".hidden"):
        (path / name).touch()
    RunDirectory(path, resume=True).close()
    assert not (path / ".last.npz.tmp-1a2b").exists()
    assert not (path / ".prev.npz.tmp-77").exists()
    assert (path / "my.tmp-notes").exists()
    assert (path / ".hidden").exists()


def test_directories_of_their_own_are_numbered(tmp_path):
    taken = [RunDirectory.numbered(tmp_path / "runs", "harbour") for _ in range(3)]
    assert [directory.path.name for directory in taken] == ["harbour-1", "harbour-2", "harbour-3"]
    for directory in taken:
        directory.close()


def test_metrics_after_the_checkpoint_and_torn_lines_are_dropped(run):
    path = run.directory.path / "metrics.jsonl"
    for iteration in (10, 20, 30):
        run.directory.append_metrics({"iteration": iteration, "train_nats": 0.1 + iteration})
    whole = path.read_text().splitlines(keepends=True)
    with open(path, "ab") as file:
        file.write(b'[1]\n"x"\n\n{"iteration": "7"}\n{"iteration": null}\n\xff\xfe\n{"iteration": 15, "train_n')
    run.directory.trim_metrics(20)
    assert path.read_text() == "".join(whole[:2])
    run.directory.append_metrics({"iteration": 40})
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [10, 20, 40]


def test_trimming_metrics_that_are_not_there_makes_none(run):
    run.directory.trim_metrics(5)
    assert not (run.directory.path / "metrics.jsonl").exists()


def test_metrics_are_json_that_others_can_read(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.directory.append_metrics({"iteration": 1, "train_nats": float("nan")})


def test_other_peoples_temporary_files_are_left_alone(tmp_path):
    theirs, ours = tmp_path / ".novel.txt.tmp-draft", tmp_path / ".last.npz.tmp-0a1b"
    theirs.write_text("a draft")
    ours.write_text("half a checkpoint")
    RunDirectory(tmp_path).close()
    assert theirs.exists()
    assert not ours.exists()


def test_a_run_that_ended_before_a_first_checkpoint_blocks_no_directory(tmp_path):
    RunDirectory(tmp_path).close()
    (tmp_path / "metrics.jsonl").write_text('{"iteration": 20}\n')
    RunDirectory(tmp_path).close()
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "diverged.json", "novel.txt", "folder/novel.txt"])
def test_no_run_is_begun_beside_what_no_run_has_written(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    (tmp_path / ".git").mkdir()
    with pytest.raises(ConfigError, match=f"written by no run: {name.partition('/')[0]}; .*: -o {tmp_path}/run-1"):
        RunDirectory(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {name.partition("/")[0], ".git"}
    assert (tmp_path / name).read_text() == "mine"


def test_hidden_files_are_no_reason_to_begin_elsewhere(tmp_path):
    (tmp_path / ".DS_Store").touch()
    RunDirectory(tmp_path).close()
    assert (tmp_path / ".DS_Store").exists()


def test_no_run_is_begun_among_runs(run):
    save_at(run, 1)
    run.close()
    with pytest.raises(ConfigError, match="holds no run itself, but a run"):
        RunDirectory(run.directory.path.parent)
    with pytest.raises(ConfigError, match=f"continue it: charrnn train -o {run.directory.path} --resume"):
        RunDirectory(run.directory.path.parent, resume=True)


def test_what_could_not_be_read_again_is_not_saved(run):
    save_at(run, 1)
    run.run.slots["s"][0] = float("inf")
    with pytest.raises(DivergedError, match="not finite"):
        save_at(run, 2)
    assert iterations(run.directory) == {"last.npz": 1}
