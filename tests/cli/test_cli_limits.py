"""Limits of the system are named for what they are, and a run goes on in one process where that works."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys

import pytest
from privileges import become_nobody, needs_root

from charrnn import cores, system
from charrnn.background import Background
from charrnn.errors import OutputError
from charrnn.files import as_output_error
from charrnn.runs import checkpoint as checkpoints

SMALL = ["--hidden-size", 6, "--batch-size", 4, "--seq-length", 8, "--iterations", 3, "--seed", 1]
TWO = ["--hidden-size", 80, "--batch-size", 16, "--iterations", 2, "--set", "train.threads=2"]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="has these limits in this way")


@pytest.fixture
def limited(tmp_path):
    """Runs `charrnn ARGUMENTS` as a plain user under limits of `resource`, such as RLIMIT_NPROC=1."""
    if sys.platform.startswith("linux"):
        tmp_path.chmod(0o777)

    def run(*arguments, nobody=True, **limits):
        import resource

        def prepare():
            if nobody:
                become_nobody()
            for name, most in limits.items():
                resource.setrlimit(getattr(resource, name), (most, most))

        clean = {name: value for name, value in os.environ.items() if name not in cores.VARIABLES}
        return subprocess.run(
            [sys.executable, "-m", "charrnn", *map(str, arguments)],
            cwd=tmp_path,
            preexec_fn=prepare,
            env=clean | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@needs_root
@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_run_goes_on_where_no_thread_can_be_started(limited, text, tmp_path, most):
    done = limited("train", text, "-o", "run", *SMALL, RLIMIT_NPROC=most)
    assert done.returncode == 0, done.stderr
    assert "OpenBLAS" not in done.stderr
    assert "Warning" not in done.stderr
    assert checkpoints.load(tmp_path / "run" / "last.npz").iteration == 3
    for words in (
        ["sample", "run", "-n", 20],
        ["eval", "run", text, "--json"],
        ["gradcheck", "--all", "--cell", "mgu"],
    ):
        again = limited(*words, RLIMIT_NPROC=most)
        assert again.returncode == 0, again.stderr
        assert "OpenBLAS" not in again.stderr


@needs_root
def test_a_team_that_cannot_begin_is_one_process_and_the_limit_is_named(limited, text, tmp_path):
    done = limited("train", text, "-o", "run", *TWO, RLIMIT_NPROC=1)
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if "warning" in line]
    assert "no more processes or threads can be started (the limit is 1: ulimit -u)" in warning
    assert "one process" in warning
    assert checkpoints.load(tmp_path / "run" / "last.npz").environment["cores"] == "1 process"


@linux
def test_files_that_cannot_be_opened_are_named(limited, text):
    done = limited("train", text, "-o", "run", *TWO, nobody=False, RLIMIT_NOFILE=8)
    assert done.returncode == 0, done.stderr
    assert "Too many open files (the limit is 8: ulimit -n)" in done.stderr
    done = limited("train", text, "-o", "run-2", *SMALL, nobody=False, RLIMIT_NOFILE=5)
    assert done.returncode == 6
    assert "Too many open files (the limit is 5: ulimit -n); raise that" in done.stderr.splitlines()[-1]


@linux
def test_a_file_that_may_not_grow_is_named(limited, text):
    done = limited("train", text, "-o", "run", *SMALL, nobody=False, RLIMIT_FSIZE=6 << 10)
    assert done.returncode == 6
    assert done.stderr.splitlines()[-1] == (
        "charrnn: error: cannot write run/last.npz: File too large (the limit is 6 KiB: ulimit -f); raise that"
    )


@linux
@pytest.mark.parametrize("mebibytes", [40, 100, 150])
def test_memory_that_ends_is_named_even_where_numpy_or_blas_has_none(limited, text, mebibytes):
    done = limited("train", text, "-o", "run", *SMALL, nobody=False, RLIMIT_AS=mebibytes << 20)
    last = done.stderr.splitlines()[-1]
    if done.returncode == 0:
        pytest.skip("that is enough here")
    assert done.returncode == 6, done.stderr
    assert last.startswith("charrnn: error: out of memory")
    assert f"{mebibytes} MiB" in last
    assert "ulimit -v" in last


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (OSError(errno.EDQUOT, "x"), ["quota", "remove files"]),
        (OSError(errno.ENOSPC, "x"), ["No space left on device", "make room"]),
        (OSError(errno.EROFS, "x"), ["Read-only", "another place"]),
        (OSError(errno.EMFILE, "x"), ["Too many open files", "ulimit -n"]),
        (OSError(errno.ENFILE, "x"), ["Too many open files", "all programs"]),
        (OSError(errno.EFBIG, "x"), ["File too large"]),
        (OSError(errno.EAGAIN, "x"), ["no more processes or threads"]),
        (OSError(errno.ENOMEM, "x"), ["out of memory"]),
        (MemoryError(), ["out of memory"]),
        (RuntimeError("can't start new thread"), ["no more processes or threads"]),
    ],
    ids=repr,
)
def test_an_error_of_the_system_is_never_a_bug(charrnn, monkeypatch, tmp_path, error, parts):
    def broken(*layers):
        raise error

    monkeypatch.setattr("charrnn.cli.config.resolve", broken)
    charrnn("config", "show").fails(6, *parts)
    if isinstance(error, OSError):
        with pytest.raises(OutputError, match=f"cannot write {tmp_path}: .*{parts[0]}"), as_output_error(tmp_path):
            raise error


@pytest.mark.parametrize("error", [RuntimeError("other"), ImportError("none"), ValueError("memory")])
def test_a_bug_is_no_limit(charrnn, monkeypatch, error):
    assert system.explain(error) is None

    def broken(*layers):
        raise error

    monkeypatch.setattr("charrnn.cli.config.resolve", broken)
    charrnn("config", "show").fails(1, "a bug in charrnn")


def test_a_thread_is_not_needed_and_nothing_is_done_twice(monkeypatch):
    def all_of(count):
        done = []
        with Background() as background:
            futures = [background.submit(done.append, n) for n in range(count)]
            [future.result() for future in futures]
        return done

    assert all_of(5) == [0, 1, 2, 3, 4]
    monkeypatch.setattr("threading.Thread.start", no_thread)
    assert all_of(5) == [0, 1, 2, 3, 4]


def no_thread(self):
    raise RuntimeError("can't start new thread")


def test_threads_are_tried_where_few_are_allowed(monkeypatch):
    monkeypatch.setattr(system, "most_processes", lambda: 100)
    assert system.allows_threads(3)
    monkeypatch.setattr("threading.Thread.start", no_thread)
    assert not system.allows_threads(3)
    monkeypatch.setattr(system, "most_processes", lambda: math.inf)
    assert system.allows_threads(3)


def test_what_the_machine_has_is_told(charrnn, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    facts = charrnn("info", "--machine", "--json").ok().json
    assert facts["cores"] >= 1
    assert {"affinity", "quota", "blas", "numpy", "python", "variables", "limits", "cost_model"} <= facts.keys()
    assert facts["physical_cores"] <= facts["affinity"]
    assert facts["cost_model"]["seconds"]["multiply_add"] > 0
    assert {row["cores"] for row in facts["layouts"]} >= {facts["cores"], 4, 8, 16}
    assert all(row["speed_up"] >= 1 for row in facts["layouts"])
    text = charrnn("info", "--machine").ok().text
    assert f"cores           {facts['cores']}\n" in text
    assert "GFLOP/s" in text
    assert len(text.splitlines()[-1].split()) == 2 + 2 * len({row["cores"] for row in facts["layouts"]})
    assert facts["blas"] in text
    assert "OMP_NUM_THREADS 1" in text
    charrnn("info").fails(2, "--machine")
    charrnn("info", "--machine", "x.txt").fails(2, "--machine")
    charrnn("info", "x.txt", "--measure-again").fails(2, "--measure-again is for --machine")


@pytest.mark.parametrize(("variables", "said"), [({"OMP_NUM_THREADS": "1"}, "1 process"), ({}, "2 processes")])
def test_train_follows_omp_num_threads(process, text, monkeypatch, variables, said):
    """Where there are two cores to follow it from."""
    for name in cores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if cores.find().cores != 2:
        pytest.skip("needs two cores")
    words = ["--hidden-size", 128, "--batch-size", 16, "--iterations", 1]
    assert said in process("train", text, "-o", "run", *words, env=variables).ok().err.splitlines()[1]
