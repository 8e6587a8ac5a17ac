"""A process that is killed, or whose machine loses power, loses nothing that was saved."""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import random
import re
import shutil
import signal
from collections import Counter
from functools import partial

import pytest
from crashing import (
    ALWAYS,
    CHANGING,
    RESUME,
    Disk,
    Fault,
    Log,
    after_power_cut,
    again,
    begin,
    calls_in,
    go_on,
    killed_until_done,
    metrics_of,
    needs_strace,
    prepare,
    recorded,
    same_end,
    sample,
    strays,
    watched,
)

from charrnn import files
from charrnn.errors import CharrnnError
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import CHECKPOINTS, RunDirectory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="it has no fork and no SIGKILL")


# --- row 1: at every system call ----------------------------------------------------------------------------------


NO_LINKS = Fault("EPERM", "link", last=ALWAYS)
"""A file system without hard links."""


def begun(forks, folder):
    prepare(folder)
    return begin()


def left_in_the_middle(forks, folder):
    """A run that was killed when its second `last.npz` was in place and the first not yet `prev.npz`."""
    prepare(folder)
    outcome = forks.run(begin(), folder, Fault("kill", "replace", on="prev.npz")).killed()
    assert outcome.saved == (1,)
    assert {path.name for path in (folder / "run").glob("*.npz")} == {"last.npz", "best.npz"}
    return RESUME


WAYS = {"new": (begun, []), "resumed": (left_in_the_middle, []), "no links": (begun, [NO_LINKS])}


@pytest.mark.parametrize(
    ("way", "calls", "stride"),
    [
        pytest.param("new", CHANGING, 1, id="new"),
        pytest.param("resumed", CHANGING, 3, id="resumed"),
        pytest.param("no links", CHANGING, 3, id="no links"),
        *(pytest.param(way, "", 1, id=f"{way}, any call", marks=pytest.mark.long) for way in WAYS),
    ],
)
@pytest.mark.parametrize("action", ["kill", "tear"])
def test_row_01_killed_at_any_call_a_run_goes_on_from_what_it_had_saved(
    forks, reference, tmp_path, way, calls, stride, action
):
    start, others = WAYS[way]
    command, kills = start(forks, tmp_path / "first"), 0
    for first in itertools.count(1, stride):
        folder = tmp_path / "now"
        shutil.copytree(tmp_path / "first", folder)
        fault = Fault(action, "write" if action == "tear" else calls, first=first)
        outcome = forks.run(command, folder, fault, *others)
        if outcome.code == 0:
            break
        outcome.killed()
        kills += 1
        saved = [1, *outcome.saved] if way == "resumed" else outcome.saved
        assert not reference.lost(folder / "run", saved), f"killed at call {first}"
        again(forks, folder)
        assert same_end(folder / "run", reference.run), f"killed at call {first}"
        assert metrics_of(folder / "run") == metrics_of(reference.run)
        shutil.rmtree(folder)
    print(f"{kills} kills, 0 losses")
    assert kills >= (5 if action == "tear" else 40) / stride


@needs_strace
def test_row_01_no_call_that_changes_a_file_escapes_the_watch(forks, reference, tmp_path):
    trace = tmp_path / "trace"
    options = ["-o", str(trace), "-e", "trace=/^(fsync|rename.*|link.*|unlink.*|mkdir.*)$"]
    forks.run(begin(), prepare(tmp_path / "here"), strace=options).ok()
    kernel, seen = Counter(), reference.log.calls
    for call, times in calls_in(trace).items():
        kernel[re.sub("(at2?)$", "", call)] += times
    assert kernel == {
        "fsync": seen["fsync"],
        "rename": seen["rename"] + seen["replace"],
        "link": seen["link"],
        "unlink": seen["unlink"],
        "mkdir": seen["mkdir"],
    }


@needs_strace
@pytest.mark.parametrize("stride", sample(29, 1))
def test_row_01_killed_at_any_system_call_a_run_goes_on_from_what_it_saved(forks, reference, tmp_path, stride):
    trace = tmp_path / "trace"
    forks.run(begin(), prepare(tmp_path / "counted"), strace=["-o", str(trace), "-e", "trace=%file,%desc"]).ok()
    calls = calls_in(trace)
    assert {"openat", "write", "fsync", "rename", "link"} <= calls.keys() or "renameat2" in calls
    places = [(name, time) for name, times in sorted(calls.items()) for time in range(1, times + 1)]
    kills = 0
    for name, time in places[::stride]:
        folder = prepare(tmp_path / "now")
        inject = ["-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={time}"]
        outcome = forks.run(begin(), folder, strace=inject)
        if outcome.code != 0:  # as reads of what is random may differ in number
            outcome.killed()
            kills += 1
        assert not reference.lost(folder / "run", outcome.saved), f"killed at {name} {time}"
        again(forks, folder)
        assert same_end(folder / "run", reference.run), f"killed at {name} {time}"
        shutil.rmtree(folder)
    print(f"{kills} kills, 0 losses")
    assert kills > len(places) / stride * 0.9


# --- row 2: at random moments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("least", sample(3, 200))
def test_row_02_killed_at_random_moments_until_done_a_run_ends_the_same(start, forks, tmp_path, least):
    settings = {"train__iterations": 40 + 40 * least, "train__checkpoint_every": 2, "train__eval_every": 3}
    whole, folder = prepare(tmp_path / "whole"), prepare(tmp_path / "killed")
    forks.run(begin(**settings), whole).ok()
    run = folder / "run"
    killed_until_done(start, begin(**settings), run, least)
    assert same_end(run, whole / "run")
    assert metrics_of(run) == metrics_of(whole / "run")


@pytest.mark.parametrize("least", sample(20, 2000))
def test_row_02_killed_at_random_calls_time_and_again_runs_end_the_same(forks, reference, tmp_path, least):
    rng, kills, runs = random.Random(least), 0, 0
    while kills < least:
        folder, saved, code = prepare(tmp_path / f"run-{runs}"), [], -signal.SIGKILL
        while code == -signal.SIGKILL:
            fault = Fault("kill", CHANGING if rng.random() < 0.5 else "", first=rng.randint(1, 90))
            if rng.random() < 0.2:
                fault = Fault("tear", "write", first=rng.randint(1, 10))
            outcome = forks.run(go_on(folder), folder, fault)
            code = outcome.code
            saved += outcome.saved
            assert not reference.lost(folder / "run", saved)
            kills += code == -signal.SIGKILL
        assert code in (0, 2)
        assert same_end(folder / "run", reference.run)
        assert metrics_of(folder / "run") == metrics_of(reference.run)
        shutil.rmtree(folder)
        runs += 1
    print(f"{kills} kills in {runs} runs, 0 losses")


# --- row 3: loss of power -----------------------------------------------------------------------------------------


def loss(reference, run, saved):
    """What is lost of a run, in words; nothing if it goes on from what it had saved."""
    if lost := reference.lost(run, saved):
        return lost
    some = any((run / name).exists() for name in CHECKPOINTS)
    try:
        with contextlib.closing(RunDirectory(run, resume=some)) as directory:
            if some and [directory.newest()[0].iteration] < saved[-1:]:
                return f"{saved} were saved, and it goes on from {directory.newest()[0].iteration}"
    except CharrnnError as error:
        return str(error)
    return f"{strays(run)} are left" if strays(run) else ""


def cut_off(log, cuts, judge, folder):
    """What many losses of power lose, each at some place of the log, in the words of `judge(run, saved)`."""
    rng, seen, losses = random.Random(cuts), set(), []
    for _ in range(cuts):
        end = rng.randint(log.begins, len(log.operations))
        disk, saved = after_power_cut(log, end, rng), log.saved(end)
        state = disk.signature(), *saved
        if state not in seen:
            seen.add(state)
            disk.write_to(folder)
            losses += filter(None, [judge(folder / "run", saved)])
            shutil.rmtree(folder)
    print(f"{cuts} losses of power, {len(seen)} states of the disk, {len(losses)} losses")
    return losses


@pytest.mark.parametrize("cuts", sample(500, 50_000))
def test_row_03_after_any_loss_of_power_a_run_goes_on_from_what_it_had_saved(reference, tmp_path, no_sync, cuts):
    losses = cut_off(reference.log, cuts, partial(loss, reference), tmp_path / "left")
    assert not losses, losses[:3]


@pytest.mark.parametrize("cuts", sample(100, 20_000))
def test_row_03_without_hard_links_a_loss_of_power_does_no_more(forks, reference, tmp_path, no_sync, cuts):
    log = recorded(forks, begin(), prepare(tmp_path / "here"), NO_LINKS)
    losses = cut_off(log, cuts, partial(loss, reference), tmp_path / "left")
    assert not losses, losses[:3]


@pytest.mark.parametrize("cuts", sample(100, 20_000))
def test_row_03_a_damaged_checkpoint_is_never_all_that_is_left(forks, tmp_path, no_sync, cuts):
    folder = prepare(tmp_path / "here")
    forks.run(begin(data__split="[1,0,0]"), folder).ok()
    run = folder / "run"
    damaged = (run / "last.npz").read_bytes()[:-100]
    (run / "last.npz").write_bytes(damaged)

    def judge(run, saved):
        with contextlib.closing(RunDirectory(run, resume=True)) as directory:
            newest = directory.newest()[0].iteration
        return f"{saved} were saved after 2, and it goes on from {newest}" if [newest] < (saved or [2])[-1:] else ""

    assert not cut_off(recorded(forks, RESUME, folder), cuts, judge, tmp_path / "left")
    assert (run / "last.npz.damaged-1").read_bytes() == damaged
    assert [checkpoints.load(run / name).iteration for name in ("last.npz", "prev.npz")] == [3, 2]


@pytest.mark.parametrize(("stride", "cuts"), sample((7, 20), (1, 200)))
def test_row_03_a_loss_of_power_after_a_kill_does_no_more(forks, reference, tmp_path, no_sync, stride, cuts):
    first, folder = reference.log, tmp_path / "now"
    for end in range(first.begins + 1, len(first.operations), stride):
        disk = Disk(first.directories)
        disk.do(first.operations[:end])
        disk.write_to(folder)
        log = first.then(end, recorded(forks, go_on(folder), folder))
        losses = cut_off(log, cuts, partial(loss, reference), tmp_path / "left")
        assert not losses, (end, losses[:3])
        shutil.rmtree(folder)


@pytest.mark.parametrize("cuts", sample(5, 500))
def test_row_03_after_two_losses_of_power_a_run_comes_to_the_same_end(forks, reference, tmp_path, cuts):
    rng = random.Random(cuts)
    for _ in range(cuts):
        first, second, log = tmp_path / "first", tmp_path / "second", reference.log
        end = rng.randint(log.begins, len(log.operations))
        after_power_cut(log, end, rng).write_to(first)
        saved = log.saved(end)
        if 3 not in saved:
            log = recorded(forks, go_on(first), first)
            end = rng.randint(log.begins, len(log.operations))
            after_power_cut(log, end, rng).write_to(second)
            assert not reference.lost(second / "run", saved + log.saved(end))
            again(forks, second)
            assert same_end(second / "run", reference.run)
            shutil.rmtree(second)
        shutil.rmtree(first)


def without_syncs(log, directories):
    """The log of a program that syncs no directories, or no files."""
    careless = copy.copy(log)
    begun, rest = log.operations[: log.begins], log.operations[log.begins :]
    careless.operations = begun + [
        operation for operation in rest if operation[0] != "sync" or (operation[1] in log.directories) != directories
    ]
    return careless


@pytest.mark.parametrize("directories", [False, True])
def test_row_03_a_program_that_does_not_sync_is_found_to_lose_checkpoints(reference, tmp_path, directories):
    careless = without_syncs(reference.log, directories)
    assert cut_off(careless, 300, reference.lost, tmp_path / "left")


def in_place(run, data):
    with open(run / "last.npz", "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def rotated_too_early(run, data):
    if (run / "last.npz").exists():
        os.replace(run / "last.npz", run / "prev.npz")
    files.write_atomically(run / "last.npz", data)


def renamed_too_early(run, data):
    with open(run / "new", "wb") as file:
        file.write(data)
        file.flush()
        os.replace(run / "new", run / "last.npz")
        os.fsync(file.fileno())
    files.sync_directory(run)


@pytest.mark.parametrize("save", [in_place, rotated_too_early, renamed_too_early])
def test_row_03_saving_in_the_wrong_order_is_found_to_lose_checkpoints(reference, tmp_path, no_sync, save):
    folder = tmp_path / "careless"
    (folder / "run").mkdir(parents=True)
    log = Log(folder)
    with watched(folder, log):
        for checkpoint in sorted(reference.log.versions("last.npz"), key=reference.iteration):
            save(folder / "run", checkpoint)
            log.operations.append(("saved", reference.iteration(checkpoint)))
    assert cut_off(log, 300, reference.lost, tmp_path / "left")
