"""A disk that is full, fails, lies, is read-only or is taken away harms nothing that was saved before."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from crashing import (
    ALWAYS,
    CHANGING,
    RESUME,
    WARNING,
    Fault,
    again,
    begin,
    calls_in,
    metrics_of,
    needs_strace,
    prepare,
    same_end,
    sample,
    strays,
)
from privileges import needs_rights

from charrnn import files
from charrnn.errors import OutputError
from charrnn.runs import checkpoint as checkpoints
from charrnn.training import gradients

resource = pytest.importorskip("resource", reason="Windows has no fork and no limits")

LAST_NEW = ".last.npz.tmp-*"
"""What `last.npz` is called while it is written."""

SAVING = [("open", LAST_NEW, 2), ("write", LAST_NEW, 1), ("fsync", LAST_NEW, 1), ("replace", "last.npz", 1)]
"""What a save is made of, and how often: the file is opened once more to be read back."""


NOT_THE_TEXT = "[!t]*"
MORE = [*RESUME, "--set", "train.iterations=6"]


def iterations(run):
    return {path.name: checkpoints.load(path).iteration for path in sorted(run.glob("*.npz"))}


def fault_at_any_call(forks, tmp_path, stride, action, calls, on, last=0):
    """The outcome and the folder of each run, with the fault at each call in turn, or only each so many."""
    for first in itertools.count(1, stride):
        folder = prepare(tmp_path / f"fault-{first}")
        outcome = forks.run(begin(), folder, Fault(action, calls, on, first, last))
        if not outcome.struck:
            return
        yield outcome, folder
        shutil.rmtree(folder)


# --- row 4: no room for a save on the way -------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["ENOSPC", "EFBIG", "EDQUOT", "EIO", "EROFS"])
@pytest.mark.parametrize(("call", "on", "times"), SAVING)
def test_row_04_a_save_that_fails_is_a_warning_and_the_next_one_works(
    forks, reference, tmp_path, call, on, times, error
):
    fault = Fault(error, call, on, first=times + 1)
    outcome = forks.run(begin(), prepare(tmp_path / "here"), fault).ok()
    (warning,) = outcome.warnings
    assert "cannot write run/last.npz" in warning
    assert "iteration 2" in warning
    assert outcome.saved == (1, 3)
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 3, "prev.npz": 1}
    assert same_end(tmp_path / "here/run", reference.run)


def test_row_04_a_cause_that_stays_is_told_once_and_another_one_again(forks, tmp_path):
    faults = [Fault("ENOSPC", "write", LAST_NEW, 2, 4), Fault("EIO", "fsync", LAST_NEW, 2, 3)]
    outcome = forks.run(begin(train__iterations=9), prepare(tmp_path / "here"), *faults).ok()
    assert outcome.saved == (1, 7, 8, 9)
    assert ["No space left" in line for line in outcome.warnings] == [True, False]
    assert "Input/output error" in outcome.warnings[1]


def test_row_04_without_room_for_metrics_and_best_npz_training_goes_on(forks, reference, tmp_path):
    faults = [Fault("ENOSPC", "write", on) for on in ("metrics.jsonl", ".best.npz.tmp-*")]
    outcome = forks.run(begin(), prepare(tmp_path / "here"), *faults).ok()
    assert len(outcome.warnings) == 2
    assert iterations(tmp_path / "here/run")["best.npz"] == 3
    assert same_end(tmp_path / "here/run", reference.run)


# --- rows 4 and 5: a disk or a limit that is real -----------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A folder that is a disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def limited(process, folder):
    """No file may be larger than 8,000 bytes."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
    yield
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def filled(process, folder):
    """Another file takes what room there is."""
    with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(1 << 20)):
            pass
    yield
    (folder / "filler").unlink()


no_limits = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no process sets limits for another one here")


@pytest.fixture(params=[pytest.param(limited, marks=no_limits), filled])
def no_room(request):
    """In a context, a process has no room for a checkpoint in its folder."""
    return request.param


@pytest.fixture
def place(request, no_room, tmp_path):
    return prepare((request.getfixturevalue("disk") if no_room is filled else tmp_path) / "here")


NO_VALIDATION = {"data__split": "[1,0,0]", "train__iterations": 150}
"""A run that writes nothing but `last.npz` and, every 20 iterations, metrics."""


def until(condition, process):
    """Waits for it; the process must not end before."""
    while not condition():
        assert process.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.002)


def test_row_04_with_no_room_for_a_while_a_real_run_warns_and_ends_the_same(start, forks, place, tmp_path, no_room):
    forks.run(begin(**NO_VALIDATION), prepare(tmp_path / "whole")).ok()
    with start(*begin(**NO_VALIDATION), "-q", cwd=place) as process:
        until((place / "run/prev.npz").exists, process)
        with no_room(process, place):
            warning = process.stderr.readline().decode()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "cannot write run/" in warning
    assert all(line.startswith(WARNING) for line in [warning, *err.decode().splitlines()])
    assert (place / "run/last.npz").read_bytes() == (tmp_path / "whole/run/last.npz").read_bytes()
    assert not strays(place / "run")


@pytest.mark.parametrize("name", ["SIGTERM", ""])
def test_row_05_with_no_room_at_the_end_a_real_run_fails_and_keeps_what_it_had(
    start, forks, place, tmp_path, no_room, name
):
    forks.run(begin(**NO_VALIDATION), prepare(tmp_path / "whole")).ok()
    with start(*begin(**NO_VALIDATION), "-q", cwd=place) as process:
        until((place / "run/prev.npz").exists, process)
        with no_room(process, place):
            warning = process.stderr.readline().decode()
            before = iterations(place / "run")
            if name:
                process.send_signal(getattr(signal, name))
            _, err = process.communicate(timeout=60)
            assert iterations(place / "run") == before
            assert not strays(place / "run")
    assert process.returncode == 6
    *warnings, error = [warning, *err.decode().splitlines()]
    assert all(line.startswith(WARNING) for line in warnings)
    assert error.startswith("charrnn: error: cannot write run/last.npz")
    assert "make room" in error or "ulimit -f" in error
    again(forks, place)
    assert (place / "run/last.npz").read_bytes() == (tmp_path / "whole/run/last.npz").read_bytes()


# --- row 5: no room for the last save -----------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "on", "times"), SAVING)
def test_row_05_a_last_save_that_fails_is_an_error_and_keeps_what_was_there(
    forks, reference, tmp_path, call, on, times
):
    fault = Fault("ENOSPC", call, on, first=2 * times + 1, last=ALWAYS)
    outcome = forks.run(begin(), prepare(tmp_path / "here"), fault)
    outcome.ends(6, "cannot write run/last.npz: No space left on device", "make room")
    assert not outcome.warnings
    assert outcome.saved == (1, 2)
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 2, "prev.npz": 1}
    assert not strays(tmp_path / "here/run")
    again(forks, tmp_path / "here")
    assert same_end(tmp_path / "here/run", reference.run)


def test_row_05_no_file_may_be_as_large_as_a_checkpoint(forks, reference, tmp_path):
    folder = prepare(tmp_path / "here")
    forks.run(begin(train__iterations=3), folder).ok()
    before = {path.name: path.read_bytes() for path in (folder / "run").glob("*.npz")}
    outcome = forks.run(MORE, folder, room=8000).ends(6, "cannot write run/last.npz: File too large")
    assert len(outcome.warnings) == 2  # of last.npz and best.npz
    assert {path.name: path.read_bytes() for path in (folder / "run").glob("*.npz")} == before
    assert not strays(folder / "run")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_row_05_even_if_the_error_cannot_be_said_the_code_tells(tmp_path, forks):
    folder = prepare(tmp_path / "here")
    command = [sys.executable, "-m", "charrnn", *begin()]
    shell = ["sh", "-c", 'ulimit -f 8; exec "$@" 2>/dev/full', "sh", *command]
    assert subprocess.run(shell, cwd=folder, timeout=60, check=False).returncode == 6
    again(forks, folder)


# --- row 6: input and output errors -------------------------------------------------------------------------------


def survives(forks, reference, outcome, folder):
    """What must hold after a run that met errors and has ended."""
    run, told = folder / "run", "\n".join(outcome.warnings)
    if outcome.code:
        outcome.ends(6)
    if "best.npz" in told:  # so that checkpoints are others, as what was the best one is among what they tell
        assert outcome.saved[-1:] <= (max(iterations(run).values(), default=0),)
    else:
        assert not reference.lost(run, outcome.saved[-1:] if "prev.npz" in told else outcome.saved)
    again(forks, folder)
    assert same_weights(run, reference.run) if "best.npz" in told else same_end(run, reference.run)


def same_weights(run, whole):
    """Whether the last checkpoints are the same but for what was the best one."""
    mine, theirs = (checkpoints.load(path / "last.npz").arrays() for path in (run, whole))
    return all(np.array_equal(array, theirs[name]) for name, array in mine.items())


@pytest.mark.parametrize(("error", "stride"), sample(("EIO", 3), ("EIO", 1)) + sample(("ENOSPC", 4), ("ENOSPC", 1)))
@pytest.mark.parametrize("last", [0, ALWAYS], ids=["once", "from there on"])
def test_row_06_an_error_at_any_call_loses_nothing(forks, reference, tmp_path, error, stride, last):
    codes = Counter()
    for outcome, folder in fault_at_any_call(forks, tmp_path, stride, error, CHANGING, NOT_THE_TEXT, last):
        codes[outcome.code] += 1
        survives(forks, reference, outcome, folder)
    print(f"{codes.total()} errors, exit codes {dict(codes)}, 0 losses")
    assert codes.total() > 50 / stride
    assert codes[0]
    assert codes[6]


def test_row_06_what_could_not_be_read_back_is_not_saved(forks, reference, tmp_path):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), Fault("EIO", "read", LAST_NEW, last=ALWAYS))
    outcome.ends(6, "cannot write run/last.npz: Input/output error")
    assert outcome.saved == ()
    assert iterations(tmp_path / "here/run") == {"best.npz": 3}
    assert not strays(tmp_path / "here/run")


def inject_everywhere(forks, reference, tmp_path, names, inject, stride):
    """Runs, each with one of these system calls as strace changes it, and what must hold after them."""
    trace = tmp_path / "trace"
    forks.run(begin(), prepare(tmp_path / "counted"), strace=["-o", str(trace), "-e", f"trace={','.join(names)}"]).ok()
    places = [(name, time) for name, times in sorted(calls_in(trace).items()) for time in range(1, times + 1)]
    codes = Counter()
    for name, time in places[::stride]:
        folder = prepare(tmp_path / "now")
        options = ["-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:{inject}:when={time}"]
        outcome = forks.run(begin(), folder, strace=options)
        codes[outcome.code] += 1
        survives(forks, reference, outcome, folder)
        shutil.rmtree(folder)
    print(f"{codes.total()} injections, exit codes {dict(codes)}, 0 losses")
    return codes


@needs_strace
@pytest.mark.parametrize("stride", sample(11, 1))
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_row_06_an_error_of_the_kernel_loses_nothing(forks, reference, tmp_path, error, stride):
    names = ["write", "fsync", "?rename", "?renameat", "?renameat2", "?link", "?linkat", "?unlink", "?unlinkat"]
    codes = inject_everywhere(forks, reference, tmp_path, names, f"error={error}", stride)
    assert codes.keys() == ({0, 6} if stride == 1 else {0})


# --- row 7: a directory that cannot be synced ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [Fault("EIO", "fsync", "run", last=ALWAYS), Fault("EACCES", "open", "run", 3, ALWAYS)],
    ids=["sync", "open"],
)
def test_row_07_a_directory_that_cannot_be_synced_is_a_warning(forks, reference, tmp_path, fault):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), fault).ok()
    (warning,) = outcome.warnings
    assert "run cannot be synced" in warning
    assert "may not survive a loss of power" in warning
    assert outcome.saved == (1, 2, 3)
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 3, "prev.npz": 2}
    assert same_end(tmp_path / "here/run", reference.run)


# --- row 8: a write that is short, interrupted or a lie -----------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault("short", "write", last=ALWAYS), Fault("EINTR", "write", NOT_THE_TEXT, 1, 9)])
def test_row_08_a_write_that_is_short_or_interrupted_goes_on(forks, reference, tmp_path, fault):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), fault).ok()
    assert outcome.struck
    assert not outcome.warnings
    assert same_end(tmp_path / "here/run", reference.run)
    assert metrics_of(tmp_path / "here/run") == metrics_of(reference.run)


def test_row_08_a_write_that_lies_is_noticed_and_the_next_save_works(forks, reference, tmp_path):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), Fault("lie", "write", LAST_NEW, 2)).ok()
    (warning,) = outcome.warnings
    assert "what was read back differs from what was written" in warning
    assert outcome.saved == (1, 3)
    assert same_end(tmp_path / "here/run", reference.run)


def test_row_08_a_last_write_that_lies_is_an_error_and_keeps_what_was_there(forks, tmp_path):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), Fault("lie", "write", LAST_NEW, 3, ALWAYS))
    outcome.ends(6, "cannot write run/last.npz", "what was read back differs from what was written")
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 2, "prev.npz": 1}
    assert not strays(tmp_path / "here/run")


@needs_strace
@pytest.mark.parametrize("stride", sample(5, 1))
@pytest.mark.parametrize("inject", ["retval=1", "error=EINTR"])
def test_row_08_a_kernel_that_lies_or_interrupts_loses_nothing(forks, reference, tmp_path, inject, stride):
    codes = inject_everywhere(forks, reference, tmp_path, ["write"], inject, stride)
    assert codes[0] > 1
    assert inject != "error=EINTR" or codes.keys() == {0}


# --- row 9: a directory that is read-only -------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "on"), [("mkdir", "run"), ("open", ".lock"), ("open", ".config.yaml.tmp-*")])
def test_row_09_a_read_only_disk_is_found_before_the_first_iteration(forks, tmp_path, call, on):
    outcome = forks.run(begin(), prepare(tmp_path / "here"), Fault("EROFS", call, on))
    outcome.ends(6, "Read-only file system", "run", "choose another place")
    assert "iteration" not in outcome.err
    assert not list(tmp_path.rglob("*.npz"))
    again(forks, tmp_path / "here")


def test_row_09_on_a_read_only_mount_nothing_begins_and_nothing_is_resumed(forks, disk):
    folder = prepare(disk / "here")
    forks.run(begin(), folder).ok()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for command in (begin(), MORE, [*begin(), "-o", "new/run"]):
        outcome = forks.run(command, folder).ends(6, "Read-only file system", "choose another place")
        assert not outcome.saved
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.anywhere
@needs_rights
def test_row_09_where_one_may_not_write_nothing_begins_and_nothing_is_resumed(forks, tmp_path):
    folder = prepare(tmp_path / "here")
    forks.run(begin(), folder, plain=True).ok()
    (folder / "run").chmod(0o555)
    folder.chmod(0o555)
    for command in (MORE, [*begin(), "-o", "new"], [*begin(), "-o", "new/run"]):
        forks.run(command, folder, plain=True).ends(6, "Permission denied", "choose another place")
    folder.chmod(0o755)
    (folder / "run").chmod(0o755)
    forks.run(MORE, folder, plain=True).ok()


@pytest.mark.anywhere
@needs_rights
def test_row_09_a_directory_made_read_only_is_a_warning_and_then_an_error(forks, reference, tmp_path):
    folder = prepare(tmp_path / "here")
    outcome = forks.run(begin(), folder, Fault("protect", "write", LAST_NEW, 2), plain=True)
    outcome.ends(6, "cannot write run/last.npz: Permission denied")
    assert any("cannot write run/last.npz: Permission denied" in warning for warning in outcome.warnings)
    assert len(outcome.warnings) == len(set(outcome.warnings))
    (folder / "run").chmod(0o755)
    assert not reference.lost(folder / "run", outcome.saved)
    again(forks, folder)
    assert same_end(folder / "run", reference.run)


# --- row 10: a directory that is taken away -----------------------------------------------------------------------

MADE_AGAIN = "was removed while in use; it was made again"
ANOTHER = "is another run's by now"


@pytest.mark.parametrize("stride", sample(3, 1))
def test_row_10_removed_at_any_call_a_directory_is_made_again(forks, reference, tmp_path, stride):
    codes = Counter()
    for outcome, folder in fault_at_any_call(forks, tmp_path, stride, "remove", CHANGING, NOT_THE_TEXT):
        codes[outcome.code] += 1
        if outcome.code:  # it could not begin, or the last save could not end
            outcome.ends(6, "cannot write run")
            assert outcome.saved in ((), (1, 2))
            again(forks, folder)
        elif MADE_AGAIN in outcome.err:
            assert same_weights(folder / "run", reference.run)
            assert (folder / "run/config.yaml").read_bytes() == (reference.run / "config.yaml").read_bytes()
            assert not strays(folder / "run")
        else:  # it was not there yet, or all was done
            assert 3 in outcome.saved
    print(f"{codes.total()} removals, exit codes {dict(codes)}")
    assert codes[0] > codes[6] > 0


@pytest.mark.parametrize("stride", sample(5, 1))
def test_row_10_a_lock_removed_at_any_call_is_made_again(forks, reference, tmp_path, stride):
    for outcome, folder in fault_at_any_call(forks, tmp_path, stride, "unlock", CHANGING, NOT_THE_TEXT):
        outcome.ok()
        assert same_end(folder / "run", reference.run)


def visible(run):
    """What is in a run directory, but for its lock."""
    return {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"}


def test_row_10_a_directory_that_is_another_runs_by_now_is_left_alone(forks, tmp_path):
    other = prepare(tmp_path / "other") / "run"
    forks.run(begin(train__seed=2), tmp_path / "other").ok()
    theirs, codes = visible(other), Counter()
    for outcome, folder in fault_at_any_call(forks, tmp_path, 1, f"usurp {other}", "fsync", "run"):
        codes[outcome.code] += 1
        assert visible(folder / "run") == theirs
        if outcome.code == 2:  # it was, before anything was written
            outcome.ends(2, "run already holds a run")
        elif outcome.code:
            outcome.ends(7, f"run {ANOTHER}", "this one is not saved")
            assert any(ANOTHER in warning for warning in outcome.warnings) or outcome.saved == (1, 2)
        else:  # all was done
            assert 3 in outcome.saved
    assert codes[7] > codes[0] > 0


def test_row_10_removed_while_a_real_process_trains_a_directory_is_made_again(start, forks, tmp_path):
    forks.run(begin(**NO_VALIDATION), prepare(tmp_path / "whole")).ok()
    folder = prepare(tmp_path / "here")
    with start(*begin(**NO_VALIDATION), "-q", cwd=folder) as process:
        for _ in range(3):
            until((folder / "run/prev.npz").exists, process)
            shutil.rmtree(folder / "run", ignore_errors=True)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert MADE_AGAIN in err.decode()
    assert b"error" not in err
    assert (folder / "run/config.yaml").read_bytes() == (tmp_path / "whole/run/config.yaml").read_bytes()
    assert (folder / "run/last.npz").read_bytes() == (tmp_path / "whole/run/last.npz").read_bytes()


def test_row_10_a_directory_removed_and_taken_by_another_run_is_left_to_it(start, forks, tmp_path):
    folder = prepare(tmp_path / "here")
    long = NO_VALIDATION | {"train__iterations": 200}
    forks.run(begin(**long, train__seed=2), prepare(tmp_path / "whole")).ok()
    with start(*begin(**long), "-q", cwd=folder) as first:
        until((folder / "run/prev.npz").exists, first)
        first.send_signal(signal.SIGSTOP)
        shutil.rmtree(folder / "run")
        with start(*begin(**long, train__seed=2), "-q", cwd=folder) as second:
            until((folder / "run/prev.npz").exists, second)
            first.send_signal(signal.SIGCONT)
            _, said = first.communicate(timeout=60)
            _, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, b"")
    assert (folder / "run/last.npz").read_bytes() == (tmp_path / "whole/run/last.npz").read_bytes()
    assert first.returncode == 7
    *warnings, error = said.decode().splitlines()
    assert error.startswith("charrnn: error: run is ")
    assert warnings
    assert len(warnings) == len(set(warnings))


# --- row 11: the place for temporary files ------------------------------------------------------------------------

SHARED = ["train", "text.txt", "-o", "run", "-q", "--set", "train.iterations=2", "--set", "train.seed=1"]
SHARED += ["--set", "model.hidden_size=128", "--set", "train.batch_size=16", "--set", "train.seq_length=32"]
SHARED += ["--set", "data.split=[1,0,0]"]
"""A run whose windows two processes share."""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("place", ["/nonexistent", "/dev/shm", "text.txt"])
def test_row_11_where_temporary_files_go_has_no_effect(process, charrnn, tmp_path, threads, place):
    prepare(tmp_path / "here")
    (tmp_path / "text.txt").write_text((tmp_path / "here/text.txt").read_text())
    command = [*SHARED, "--set", f"train.layout={threads}x1"]
    charrnn(*command, "-o", "usual").ok()
    result = process(*command, env={"TMPDIR": place, "TMP": place, "TEMP": place}).ok()
    assert result.err == ""
    assert (tmp_path / "run/last.npz").read_bytes() == (tmp_path / "usual/last.npz").read_bytes()


def test_row_11_without_a_place_for_temporary_files_two_processes_train(charrnn, tmp_path, monkeypatch):
    (prepare(tmp_path / "here") / "text.txt").rename(tmp_path / "text.txt")
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    monkeypatch.setattr(gradients, "Team", seen := mock.Mock(wraps=gradients.Team))
    charrnn(*SHARED, "--set", "train.threads=2").ok()
    assert seen.called


# --- row 39: a reader that has a file open, on Windows ------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch):
    """`charrnn.files` as on Windows, where others have files open: what is refused how often, and the seconds slept."""
    state = SimpleNamespace(refused={}, slept=0.0)

    def replace(source, target):
        if state.refused.get(target.name, 0) > 0:
            state.refused[target.name] -= 1
            raise PermissionError(13, "The process cannot access the file", str(target))
        os.replace(source, target)

    def sleep(seconds):
        state.slept += seconds

    monkeypatch.setattr(files, "os", SimpleNamespace(**{**vars(os), "name": "nt", "replace": replace}))
    monkeypatch.setattr(files, "time", SimpleNamespace(sleep=sleep))
    return state


def test_row_39_a_file_that_a_reader_has_open_for_a_moment_is_replaced(windows, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    windows.refused["f"] = 5
    files.write_atomically(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["f"])
    assert 0 < windows.slept < 1


def test_row_39_a_file_that_a_reader_keeps_open_stays_and_is_soon_an_error(windows, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    windows.refused["f"] = ALWAYS
    with pytest.raises(OutputError, match=r"cannot write .*f: The process cannot access the file"):
        files.write_atomically(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["f"])
    assert 2 < windows.slept < 3


def test_row_39_elsewhere_nobody_waits(windows, tmp_path):
    files.os.name = "posix"
    windows.refused["f"] = 1
    with pytest.raises(OutputError):
        files.write_atomically(tmp_path / "f", b"new")
    assert windows.slept == 0


def test_row_39_a_run_whose_checkpoints_are_being_read_saves_them(windows, charrnn, tmp_path):
    prepare(tmp_path / "here")
    windows.refused.update({"last.npz": 3, "prev.npz": 2, "best.npz": 1})
    charrnn(*begin(), "-q", cwd=tmp_path / "here").ok()
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 3, "prev.npz": 2}
    assert windows.slept > 0.5


def test_row_39_a_previous_checkpoint_that_a_reader_keeps_open_is_a_warning(windows, charrnn, tmp_path):
    prepare(tmp_path / "here")
    windows.refused["prev.npz"] = ALWAYS
    result = charrnn(*begin(), "-q", cwd=tmp_path / "here")
    assert result.code == 0
    (warning,) = result.err.splitlines()
    assert warning.startswith(f"{WARNING}cannot write run/prev.npz")
    assert iterations(tmp_path / "here/run") == {"best.npz": 3, "last.npz": 3}
    assert not strays(tmp_path / "here/run")
