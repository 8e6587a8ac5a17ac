"""What a command makes of it that a launcher started it, without any launcher."""

from __future__ import annotations

import os
import sys

import pytest
from launched import needs_ranks

from charrnn.cli import launching
from charrnn.cli.launching import Launch
from charrnn.errors import ConfigError
from charrnn.interface.learning import train

BATCH_SCRIPT = {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "1"}


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, None),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, Launch(1, 2)),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
        ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "3"}, Launch(3, 4)),
        ({**BATCH_SCRIPT, "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "2"}, Launch(2, 4)),
        (BATCH_SCRIPT, None),
        ({"PMI_RANK": "one", "PMI_SIZE": "2"}, None),
    ],
)
def test_a_process_knows_which_of_how_many_it_is(environment, launch):
    assert launching.find(environment) == launch


@pytest.fixture
def rank(monkeypatch):
    """Makes this process look like one of two that a launcher started."""

    def become(number):
        monkeypatch.setenv("PMI_RANK", str(number))
        monkeypatch.setenv("PMI_SIZE", "2")

    return become


@pytest.fixture
def without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)


def test_ranks_without_mpi4py_end_in_one_error_that_says_how_to_get_it(charrnn, rank, without_mpi4py, tmp_path):
    rank(0)
    charrnn("train", "harbour").fails(2, "2 processes", "mpi4py", "pip install 'charrnn[mpi]'")
    rank(1)
    silent = charrnn("train", "harbour")
    assert (silent.code, silent.out, silent.err) == (2, b"", "")
    assert os.listdir(tmp_path) == []


def test_of_another_command_rank_0_alone_does_something(charrnn, rank, without_mpi4py):
    rank(0)
    said = charrnn("corpus", "list").ok()
    assert b"harbour" in said.out
    rank(1)
    silent = charrnn("corpus", "list").ok()
    assert (silent.out, silent.err) == (b"", "")


def test_from_python_ranks_are_refused_and_rank_0_alone_says_so(rank, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rank(0)
    with pytest.raises(ConfigError, match=r"2 processes of this program.*without a launcher"):
        train("harbour", iterations=1)
    rank(1)
    with pytest.raises(SystemExit) as left:
        train("harbour", iterations=1)
    assert left.value.code == 2
    assert os.listdir(tmp_path) == []


@needs_ranks
def test_an_mpi_that_is_not_the_launchers_is_an_error_and_not_many_runs(process):
    env = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}
    process("train", "harbour", env=env).fails(2, "2 processes", "sees 1", "launcher")


def test_without_a_launcher_nothing_of_mpi_is_imported(process, text, tiny, tmp_path):
    script = tmp_path / "look.py"
    script.write_text(
        "import sys\nfrom charrnn.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    print([name for name in sys.modules if 'mpi4py' in name])\n"
    )
    done = process("train", text, "-c", tiny, "-q", program=(str(script),))
    assert (done.code, done.text) == (0, "[]\n")
