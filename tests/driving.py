"""The command line as a user drives it: inside this process where that will do, else as a process of its own.

Fixtures, which the folders that need them import into their conftest.py, and the functions behind them.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.cli.main import main

Program = tuple[str, ...]
CHARRNN: Program = ("-m", "charrnn")
"""What Python is told to run."""

ERROR = re.compile(r"charrnn: error: \S.*")
FOXES = "".join(f"Verse {n}: the quick <brown> fox & {n} lazy dogs sing, 'row, row!'\n" for n in range(45))
TINY = """
model: {hidden_size: 8}
train: {batch_size: 4, seq_length: 8, iterations: 12, eval_every: 5, checkpoint_every: 5, seed: 1}
optim: {schedule: constant, learning_rate: 2e-3}
"""


@dataclass(frozen=True)
class Result:
    """What a command left: exit code, bytes on stdout, text on stderr."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return strict_json(self.out)

    def ok(self) -> Result:
        """It worked."""
        assert self.code == 0, f"exit {self.code}: {self.err}"
        assert "Traceback" not in self.err
        return self

    def fails(self, code: int, *parts: str, lines: int = 1) -> Result:
        """It failed as promised: this exit code, and on stderr error lines alone, which have these parts."""
        assert self.code == code, f"exit {self.code}: {self.err}"
        assert all(ERROR.fullmatch(line) for line in self.err.splitlines()), self.err
        assert len(self.err.splitlines()) == lines, self.err
        assert self.err.endswith("\n")
        assert not self.out
        for part in parts:
            assert part in self.err
        return self


def strict_json(data: bytes | str) -> Any:
    """What `data` means in JSON, which knows no NaN and no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(data, parse_constant=refuse)


def in_process(*arguments: object, cwd: Path, stdin: bytes = b"") -> Result:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setenv("CHARRNN_CACHE", str(cwd / "cache"))
        patch.setattr(os, "fsync", lambda handle: None)  # nobody pulls the plug here
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, out.buffer.getvalue(), err.buffer.getvalue().decode())


@contextmanager
def inheriting(ignored: str = "") -> Iterator[None]:
    """A process that is started within the block gets no signal ignored but that one, whatever this one was told.

    A child inherits what its parent ignores, and these tests may run under nohup, or in the background of a script.
    """
    before = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGHUP", "SIGTERM")}
    for name in before:
        signal.signal(getattr(signal, name), signal.SIG_IGN if name == ignored else signal.SIG_DFL)
    try:
        yield
    finally:
        for name, action in before.items():
            signal.signal(getattr(signal, name), action)


@contextmanager
def started(
    *arguments: object, cwd: Path, ignoring: str = "", program: Program = CHARRNN
) -> Iterator[subprocess.Popen[bytes]]:
    """A process `charrnn ARGUMENTS`; with `ignoring`, one whose parent told it to ignore that signal, as nohup does."""
    with inheriting(ignoring):
        process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def as_process(
    *arguments: object,
    cwd: Path,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    program: Program = CHARRNN,
) -> Result:
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture
def charrnn(tmp_path: Path) -> Callable[..., Result]:
    """Runs `charrnn ARGUMENTS` in an empty directory, inside this process."""
    return partial(in_process, cwd=tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., Result]:
    """Runs `python -m charrnn ARGUMENTS` in an empty directory, as a process of its own."""
    return partial(as_process, cwd=tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Any]:
    """Starts a process and does not wait for it: a context manager, at whose end it is killed."""
    return partial(started, cwd=tmp_path)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for what tests share and only read."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def text(shelf: Path) -> Path:
    """Three kilobytes to learn from."""
    path = shelf / "foxes.txt"
    path.write_text(FOXES, "utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(shelf: Path) -> Path:
    """The config of a model that trains in no time."""
    path = shelf / "tiny.yaml"
    path.write_text(TINY, "utf-8")
    return path


@pytest.fixture
def train(charrnn: Callable[..., Result], text: Path, tiny: Path) -> Callable[..., Result]:
    """Runs `charrnn train`, quietly, on the shared text (or another) with the tiny config."""

    def run(*arguments: object, source: object = text, **more: Any) -> Result:
        return charrnn("train", source, "-c", tiny, "-q", *arguments, **more)

    return run


@pytest.fixture(scope="session")
def trained(shelf: Path, text: Path, tiny: Path) -> Path:
    """A run directory with a model that learned a little; not to be changed."""
    options = ["--set", "train.iterations=200", "--set", "optim.learning_rate=0.02", "--set", "model.hidden_size=16"]
    in_process("train", text, "-c", tiny, "-o", "trained", *options, cwd=shelf).ok()
    return shelf / "trained"


@pytest.fixture(scope="session")
def learned_unicode(shelf: Path) -> Path:
    """A run on a text with a byte-order mark, CRLF, and characters of one to four bytes, learned by heart."""
    source = shelf / "unicode.txt"
    source.write_bytes(("\ufeff" + "aé€𝄞\r\n" * 150).encode())
    options = ["model.hidden_size=16", "train.batch_size=4", "train.seq_length=8", "train.seed=1"]
    options += ["train.iterations=150", "optim.learning_rate=0.03", "optim.schedule=constant", "data.split=[1,0,0]"]
    sets = [word for option in options for word in ("--set", option)]
    in_process("train", source, "-o", "unicode", *sets, cwd=shelf).ok()
    return shelf / "unicode"


@pytest.fixture(scope="session")
def metrics() -> Callable[[Path], list[dict[str, Any]]]:
    """The lines of the metrics of a run directory."""

    def read(run: Path) -> list[dict[str, Any]]:
        return [strict_json(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]

    return read


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], tuple[dict[str, bytes], dict[str, Any]]]:
    """Every array of a checkpoint as bytes, and its meta data; read with NumPy alone."""

    def read(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("__meta__").tobytes())
        return {name: array.tobytes() for name, array in arrays.items()}, meta

    return read
