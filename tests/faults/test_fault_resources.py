"""Rows 50 and 52: a log that cannot be written, and memory that ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import pytest
from driving import strict_json

from charrnn.config.resolve import Setting, resolve
from charrnn.cores import Plan
from charrnn.errors import OutputError
from charrnn.files import as_output_error
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs import metrics_file as module
from charrnn.runs.directory import RunDirectory
from charrnn.text.encoding import decode
from charrnn.training import gradients, limits, loop
from charrnn.training.preparing import prepare
from charrnn.training.trainer import Trainer

TIMES = {"chars_per_s", "elapsed_s"}


def lines(run):
    """The metrics of a run, without what the clock tells."""
    text = (run.directory.path / "metrics.jsonl").read_text("utf-8")
    return [{k: v for k, v in strict_json(line).items() if k not in TIMES} for line in text.splitlines()]


# --- row 50 ---


@pytest.mark.parametrize("torn", [b'{"iteration": 15, "train_', b"\xff\xfe\0", b'{"iteration": 99}\n{"itera', b"[]\n"])
def test_row_50_resuming_drops_a_torn_line_and_metrics_end_as_without_it(begin, prose, torn):
    whole = begin("whole", train__iterations=30)
    list(whole.records())
    stopped = begin("stopped", train__iterations=30)
    for record in stopped.records():
        if record.iteration == 12:
            stopped.saver.save()
            break
    stopped.close()
    with open(stopped.directory.path / "metrics.jsonl", "ab") as file:
        file.write(torn)
    directory = RunDirectory(stopped.directory.path, resume=True)
    checkpoint, _ = directory.newest()
    resumed = Trainer.resume(directory, checkpoint, checkpoint.config, prose)
    list(resumed.records())
    resumed.close()
    assert lines(resumed) == lines(whole)


class Full:
    """A file on a disk that has no room for more than `room` bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data[: self.room])


@pytest.mark.parametrize("room", [0, 1, 40])
def test_row_50_a_full_disk_under_the_log_is_one_warning_and_no_half_line(begin, monkeypatch, room):
    run = begin(train__iterations=30)
    full = {10, 15}
    now = [0]

    def opened(path, mode, **how):
        file = open(path, mode, **how)  # noqa: SIM115  # whoever opens it closes it
        return Full(file, room) if now[0] in full else file

    monkeypatch.setattr(module, "open", opened, raising=False)
    records = run.records()
    for n in range(1, 31):
        now[0] = n
        next(records)
    assert [line["iteration"] for line in lines(run)] == [5, 20, 25, 30]
    (warning,) = run.warnings
    assert "metrics.jsonl" in warning
    assert "No space left on device" in warning
    assert "training goes on" in warning
    assert checkpoints.load(run.directory.path / "last.npz").iteration == 30


def test_row_50_a_log_that_fails_again_after_it_worked_is_told_again(begin, monkeypatch):
    run = begin(train__iterations=30)
    real, bad = run.directory.append_metrics, iter([True, True, False, True, False, False])

    def append(record):
        if next(bad):
            with open("/dev/full", "wb", buffering=0) as file:
                file.write(b"x")
        real(record)

    monkeypatch.setattr(run.directory, "append_metrics", lambda record: as_output(append, record))
    list(run.records())
    assert len(run.warnings) == 2


def as_output(append, record):
    with as_output_error(Path("metrics.jsonl")):
        append(record)


# --- row 52 ---

LIMITED = """
    import os, re, resource, sys
    import numpy, charrnn.cli.train, charrnn.training.trainer  # what must fit in any case
    from charrnn.cli.main import main
    size = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (size + (int(sys.argv[1]) << 20), resource.RLIM_INFINITY))
    main(sys.argv[2:])
"""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and RLIMIT_AS")


def limited(mebibytes, *words, cwd):
    """`charrnn WORDS` with so much memory beyond what Python, NumPy and charrnn take."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(mebibytes), *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        check=False,
    )


def sets(*keys):
    return [word for key in keys for word in ("--set", key)]


@linux
@pytest.mark.parametrize(
    "keys",
    [
        ["model.hidden_size=2048", "train.batch_size=2", "train.seq_length=8"],  # the weights
        ["model.hidden_size=512", "train.batch_size=8", "train.seq_length=200", "data.split=[1,0,0]"],  # the window
    ],
    ids=["weights", "window"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_row_52_a_run_that_does_not_fit_in_memory_says_what_it_takes(tmp_path, text, keys, threads):
    done = limited(60, "train", text, "-o", "run", *sets(*keys, f"train.threads={threads}"), cwd=tmp_path)
    assert done.returncode == 6, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("charrnn: error: ")
    assert "memory" in last
    if threads == 1:
        assert " MiB at least; lower model.hidden_size" in last
    assert "Traceback" not in done.stderr


@linux
def test_row_52_a_checkpoint_too_large_for_memory_is_a_checkpoint_error(tmp_path, text, charrnn):
    words = sets("model.hidden_size=512", "train.batch_size=4", "train.seq_length=8", "train.iterations=1")
    charrnn("train", text, "-o", "run", *words, "-q").ok()
    done = limited(10, "sample", "run", "-n", "10", cwd=tmp_path)
    assert done.returncode in (4, 6), done.stderr
    assert done.stderr.startswith("charrnn: error: ")
    assert done.stderr.count("\n") == 1


def test_row_52_no_memory_for_a_save_is_a_warning_and_at_the_end_an_error(begin, monkeypatch):
    run = begin(train__iterations=20)
    real, short = checkpoints.to_bytes, [False]

    def to_bytes(checkpoint):
        if short[0]:
            raise MemoryError
        return real(checkpoint)

    monkeypatch.setattr(checkpoints, "to_bytes", to_bytes)
    records = run.records()
    for _ in range(9):
        next(records)
    short[0] = True
    for _ in range(10):
        next(records)
    assert all("out of memory" in warning for warning in run.warnings)
    assert {warning.split("; ")[1].split(" has")[0] for warning in run.warnings} == {"last.npz", "best.npz"}
    with pytest.raises(OutputError, match="out of memory"):
        next(records)
    assert checkpoints.load(run.directory.path / "last.npz").iteration == 5
    assert not list(run.directory.path.glob(".*.tmp-*"))


@linux
def test_row_52_a_save_that_does_not_fit_leaves_the_old_checkpoint_whole(tmp_path, text):
    """With a limit set between two saves, in a process of its own."""
    script = """
        import re, resource, sys
        from pathlib import Path
        from charrnn.config.resolve import Setting, resolve
        from charrnn.text.encoding import decode
        from charrnn.runs.directory import RunDirectory
        from charrnn.training.preparing import prepare
        from charrnn.training.trainer import Trainer
        from charrnn.errors import OutputError
        settings = {"model.hidden_size": 900, "train.batch_size": 2, "train.seq_length": 4, "train.iterations": 4,
                    "train.checkpoint_every": 1, "data.split": [1, 0, 0], "train.threads": 1, "train.seed": 1}
        config, _ = resolve([Setting(k, v, "") for k, v in settings.items()])
        text = decode([Path(sys.argv[1]).read_bytes()], "text", "utf-8")
        run = Trainer.begin(RunDirectory(Path("run")), prepare(config, text))
        records = run.records()
        next(records), next(records)
        size = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
        resource.setrlimit(resource.RLIMIT_AS, (size + (8 << 20), resource.RLIM_INFINITY))
        next(records)
        print(run.warnings)
        try:
            next(records)
        except OutputError as error:
            print(error)
            sys.exit(error.exit_code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(text)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        # what is freed goes back to the system at once, instead of being there for the next save
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
        check=False,
    )
    assert done.returncode == 6, done.stdout + done.stderr
    warnings, error = done.stdout.splitlines()
    assert "out of memory; last.npz has nothing of iteration 3" in warnings
    assert error.startswith("out of memory: 1 x 900 units")
    assert checkpoints.load(tmp_path / "run" / "last.npz").iteration == 2
    assert checkpoints.load(tmp_path / "run" / "prev.npz").iteration == 1


@pytest.mark.parametrize(
    "keys",
    [
        {"model.cell": "lstm", "optim.name": "adam"},
        {"model.cell": "gru", "optim.name": "sgd", "train.dtype": "float64"},
        {"model.cell": "rnn", "model.num_layers": 3, "train.seq_length": 100},
        {"model.hidden_size": 8, "train.gradient": "rtrl", "train.batch_size": 2, "train.seq_length": 2},
    ],
    ids=lambda keys: keys.get("model.cell", "rtrl"),
)
def test_row_52_the_estimate_is_what_training_allocates_within_a_factor(keys, prose):
    defaults = {"model.hidden_size": 128, "model.num_layers": 2, "train.batch_size": 16, "train.seq_length": 40}
    settings = {"train.seed": 1, "train.iterations": 2, "data.split": [1, 0, 0], **defaults, **keys}
    config, _ = resolve([Setting(key, value, "test") for key, value in settings.items()])
    prose = decode([b"".join(piece.encode() for piece in prose.pieces()) * 20], "a text", "utf-8")
    tracemalloc.start()
    try:
        run, split, _ = prepare(config, prose)
        with gradients.choose(run, Plan(1, 1)) as compute:
            list(loop.updates(run, split.train, compute, lambda: run.iteration / 2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 < peak / limits.memory(config, run.model) < 2
