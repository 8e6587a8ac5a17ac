"""Ranks that a launcher started train one run, and learn what one process learns."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from driving import FOXES
from hinting import hints
from launched import needs_ranks, ranks
from rank_runs import CASES, SPOILING

from charrnn.training.world import Seat, World

pytestmark = needs_ranks
every_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What three ranks found of all cases."""
    folder = tmp_path_factory.mktemp("ranks")
    script = Path(__file__).parents[1] / "rank_runs.py"
    done = ranks(3, script, folder, cwd=folder)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return json.loads((folder / "found.json").read_text())


@every_case
def test_three_ranks_learn_what_one_process_does(found, case):
    alone, together = found[case]["alone"], found[case]["together"]
    assert together["plan"].startswith("3 ranks of ")
    assert together["counts"] == alone["counts"]
    assert together["arrays"].keys() == alone["arrays"].keys()
    for name, array in alone["arrays"].items():
        np.testing.assert_allclose(together["arrays"][name], array, rtol=0, atol=1e-12, err_msg=name)
    one, three = (np.array(way["metrics"], float) for way in (alone, together))
    np.testing.assert_allclose(three, one, rtol=0, atol=1e-12)


@every_case
def test_a_run_left_and_resumed_on_as_many_ranks_has_the_same_bytes(found, case):
    assert found[case]["same bytes"]


@pytest.mark.parametrize("case", SPOILING)
def test_ranks_do_about_a_divergence_what_one_process_does(found, case):
    alone, together = found[case]["alone"], found[case]["together"]
    assert together["ended"] == alone["ended"]
    assert ("diverged" in alone["ended"]) == (case == "stop")
    assert len(alone["rows"]) == 7  # each begins from the state before the batch, which the ranks have
    one, three = (np.array(way["rows"], float) for way in (alone, together))
    np.testing.assert_allclose(three, one, rtol=0, atol=1e-12)


def test_an_evaluation_that_ranks_are_asked_to_leave_is_made_up_for(found):
    """All leave it, the run is saved there, and is in the end what it would have been."""
    assert found["halted"] == [True, 8, None, 3]


def test_where_one_rank_cannot_start_its_processes_no_rank_has_them_and_it_is_named(found):
    teamless = found["teamless"]
    assert (teamless["ended"], teamless["cores"]) == ("", "3 ranks of 1 process")
    (warning,) = teamless["warnings"]
    assert re.fullmatch(r"rank 1 on \S+: .*; training goes on in one process on each rank", warning)


def test_on_another_number_of_ranks_a_warning_says_what_is_no_longer_exact(found):
    (warning,) = found["warned"]
    assert "3 ranks of 1 process became 1 process" in warning
    assert "not bit for bit" in warning


def test_parameters_that_are_not_the_same_on_all_ranks_are_noticed(found):
    assert "RanksDifferError: the parameters of rank 1 on " in found["disagree"]
    assert "at iteration 6" in found["disagree"]
    (hint,) = hints(found["disagree"])
    assert re.fullmatch(r"charrnn train -o \S*disagree --resume", hint)


WORDS = [
    "train", "foxes.txt", "-o", "run", "--set", "train.seed=1", "--set", "model.hidden_size=8", "--set",
    "train.batch_size=4", "--set", "train.seq_length=8", "--set", "train.checkpoint_every=50",
    "--set", "train.eval_every=100",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "foxes.txt").write_text(FOXES)
    return tmp_path


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture
def going(folder):
    """Starts a run without an end on two ranks, waits until it is on its way, and ends it after the test."""
    processes = []

    def start(*more):
        process = ranks(2, "-m", "charrnn", *WORDS, "--iterations", 10**9, *more, cwd=folder, wait=False)
        processes.append(process)
        for _ in range(600):
            if lines(folder / "run" / "metrics.jsonl") >= 4:
                pids = [int((folder / f"pid-{rank}").read_text()) for rank in range(2)]
                return process, pids
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        pytest.fail("it did not begin")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "rank"), [(15, 1), (2, 0)])
def test_a_signal_to_any_rank_saves_once_and_ends_all(going, folder, number, rank, contents):
    process, pids = going("-q")
    os.kill(pids[rank], number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out == ""
    assert err.count("and saved; continue under the same launcher with: ") == err.count("charrnn: error: ") == 1
    at = int(err.partition("at iteration ")[2].partition(",")[0].replace(",", "").split()[0])
    assert contents(folder / "run" / "last.npz")[1]["iteration"] == at
    assert not any(alive(pid) for pid in pids)
    (hint,) = hints(err)
    done = ranks(2, "-m", *shlex.split(hint), "--iterations", at + 2, "-q", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(folder / "run" / "last.npz")[1]["iteration"] == at + 2


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_is_killed_ends_all_and_what_was_saved_is_whole(going, folder, rank, contents):
    process, pids = going("-q")
    os.kill(pids[rank], 9)
    process.communicate(timeout=10)
    assert process.returncode
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            break
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)
    saved = [folder / "run" / name for name in ("last.npz", "best.npz")]  # killed between the two, the best is newer
    last = max(contents(path)[1]["iteration"] for path in saved if path.exists())
    done = ranks(2, "-m", "charrnn", "train", *WORDS[2:4], "--resume", "--iterations", last + 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "2 ranks of 1 process" in done.stderr
    assert contents(folder / "run" / "last.npz")[1]["iteration"] == last + 3


def test_what_is_wrong_for_all_ranks_is_said_once(folder):
    done = ranks(3, "-m", "charrnn", "train", "missing.txt", cwd=folder)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "missing.txt" in done.stderr


def test_what_ranks_cannot_share_is_refused_before_there_is_a_run(folder):
    done = ranks(2, "-m", "charrnn", *WORDS, "--set", "train.gradient=rtrl", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "rtrl is for one process, and 2 ranks" in done.stderr
    assert not (folder / "run").exists()


FAILING = """
import sys
from charrnn.cli.main import main
from charrnn.training import sharing

real, count = sharing.RankWork.step, 0

def step(self, *given):
    global count
    count += 1
    if self.world.rank == int(sys.argv[1]) and count == 4:
        raise MemoryError
    return real(self, *given)

sharing.RankWork.step = step
main(sys.argv[2:])
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_rank_in_an_update_ends_all_and_names_it(folder, rank):
    (folder / "failing.py").write_text(FAILING)
    done = ranks(3, "failing.py", rank, *WORDS, "--iterations", 10**9, "-q", cwd=folder)
    assert done.returncode == 6
    assert done.stderr.count("out of memory") == 1
    assert ("rank 1 on " in done.stderr) == (rank == 1)


def test_what_mpi_adds_up_is_not_the_launchers_choice(found):
    """The sum is in the order of the ranks: a number that vanishes beside a large one comes before it or after."""
    assert found["sums"] == [[1e16 - 1e16 + 1.0] * 5] * 2


class Comm:
    """Knows the place of each rank, and nothing else."""

    def __init__(self, seats):
        self.seats = seats

    def allgather(self, seat):
        return self.seats

    def Get_rank(self):  # noqa: N802  # as mpi4py has it
        return 0

    def Get_size(self):  # noqa: N802
        return len(self.seats)


ALL, LEFT, RIGHT = frozenset(range(8)), frozenset(range(4)), frozenset(range(4, 8))


@pytest.mark.parametrize(
    ("seats", "each"),
    [
        ([("a", ALL, 8)] * 2, 4),
        ([("a", LEFT, 4), ("a", RIGHT, 4)], 4),
        ([("a", ALL, 8), ("b", ALL, 8)], 8),
        ([("a", ALL, 8), ("b", ALL, 8), ("b", ALL, 8)], 4),
        ([("a", frozenset({0}), 1)] * 4, 1),
        ([("a", ALL, 2)] * 2, 1),
    ],
)
def test_ranks_share_the_cores_that_they_are_not_bound_to(seats, each):
    assert World(Comm([Seat(*seat) for seat in seats])).cores_each() == each
