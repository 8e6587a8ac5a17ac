"""The worst that can happen to a process that writes files, done to it: kills, failing calls, loss of power.

`Forks` is a process that has imported charrnn once and forks a child for each command, so that a start costs
milliseconds. In a child, `watched` sees each system call by which Python opens, reads or changes a file: a `Fault`
makes one of them fail or kills the process there, and a log of all of them is what `Disk` cuts off, as a loss of power
would, at any place. strace, where it is installed, does the same to the calls that the kernel sees.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import ctypes
import errno
import fnmatch
import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import ERROR, Result
from privileges import drop_privileges

from charrnn.cli.main import main
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.directory import BEST, CHECKPOINTS, LAST, PREVIOUS, RunDirectory

ALWAYS = 1 << 30
"""As the last time of a fault: it does not go away."""

TEXT = "a fox, a dog: " + "aab bba ".join(str(n % 7) for n in range(90)) + "\n"
SETTINGS = {
    "model.hidden_size": 3,
    "train.batch_size": 2,
    "train.seq_length": 4,
    "train.iterations": 3,
    "train.eval_every": 2,
    "train.checkpoint_every": 1,
    "train.seed": 1,
    "train.threads": 1,
    "data.split": "[0.9,0.1,0]",
}
"""A run that saves `last.npz` three times and `best.npz` twice, a few kilobytes each."""

WARNING = "charrnn: warning: "


def sample(few: object, many: object) -> list[Any]:
    """A parameter for the tests of every day, and another one for the long ones."""
    values = [value if isinstance(value, tuple) else (value,) for value in (few, many)]
    return [pytest.param(*values[0]), pytest.param(*values[1], marks=pytest.mark.long)]


def begin(**changes: object) -> list[str]:
    """The command that begins the run, in a directory that `prepare` has made ready."""
    settings = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    return ["train", "text.txt", "-o", "run", *(word for k, v in settings.items() for word in ("--set", f"{k}={v}"))]


RESUME = ["train", "-o", "run", "--resume"]


def prepare(folder: Path) -> Path:
    """A new folder with the text; the run will be its `run`."""
    folder.mkdir(parents=True)
    (folder / "text.txt").write_text(TEXT)
    return folder


# --- system calls ----------------------------------------------------------------------------------------------------

FILES = ("close", "fsync", "ftruncate", "read", "write")
"""Calls of `os` that take an open file first."""
NAMES = ("link", "mkdir", "open", "rename", "replace", "rmdir", "unlink")
"""Those that take names; the last is the one that changes, but for `open`."""
CHANGING = "fsync ftruncate link mkdir open rename replace rmdir unlink write"
"""Those before and after which a disk may differ."""

Around = Callable[..., Any]
"""Called as `around(call, path, do, *arguments)`; returns what `do(*arguments)` does, or something else."""


@contextmanager
def watched(folder: Path, around: Around) -> Iterator[None]:
    """Lets `around` do, or not do, each call of this process by which Python opens, reads or changes files there.

    Buffered files go through `os` here as well. What else `around` calls on the way is not watched.
    """
    root = f"{folder.resolve()}{os.sep}"

    def inside(name: Any) -> bool:
        return f"{os.path.abspath(os.fspath(name))}{os.sep}".startswith(root)

    real = {name: getattr(os, name) for name in (*FILES, *NAMES)}
    real_open = io.open
    paths: dict[int, str] = {}
    busy = False

    def through(name: str, path: str, do: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        nonlocal busy
        if busy:
            return do(*arguments, **options)
        busy = True
        try:
            return around(name, path, do, *arguments)
        finally:
            busy = False

    def of_file(name: str) -> Callable[..., Any]:
        def call(handle: int, *arguments: Any) -> Any:
            if handle not in paths:
                return real[name](handle, *arguments)
            path = paths.pop(handle) if name == "close" and not busy else paths[handle]
            return through(name, path, real[name], handle, *arguments)

        return call

    def of_name(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            named = arguments[0] if name == "open" else arguments[1 if name in ("link", "rename", "replace") else 0]
            if options or busy or not inside(named):
                return real[name](*arguments, **options)
            path = os.path.abspath(os.fspath(named))
            done = through(name, path, real[name], *arguments)
            if name == "open":
                paths[done] = path
            return done

        return call

    class File(io.FileIO):
        """Python's file, whose calls are those of `os`."""

        def __init__(self, file: Any, mode: str) -> None:
            super().__init__(file, mode, opener=lambda path, flags: os.open(path, flags, 0o666))

        def write(self, data: Any) -> int:
            return os.write(self.fileno(), data)

        def readinto(self, buffer: Any) -> int:
            data = os.read(self.fileno(), len(buffer))
            buffer[: len(data)] = data
            return len(data)

        def readall(self) -> bytes:
            return b"".join(iter(lambda: os.read(self.fileno(), 1 << 20), b""))

        def truncate(self, size: int | None = None) -> int:
            size = self.tell() if size is None else size
            os.ftruncate(self.fileno(), size)
            return size

        def close(self) -> None:
            if not self.closed:
                through("close", paths.pop(self.fileno(), ""), super().close)

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **options: Any) -> Any:
        if busy or not (file in paths if isinstance(file, int) else inside(file)):
            return real_open(file, mode, buffering, *text, **options)
        raw = File(file, mode.replace("b", ""))
        if "+" in mode:
            buffered: Any = io.BufferedRandom(raw)
        else:
            buffered = io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *text, **options)

    for name in FILES:
        setattr(os, name, of_file(name))
    for name in NAMES:
        setattr(os, name, of_name(name))
    io.open = builtins.open = open_file  # type: ignore[assignment]
    try:
        yield
    finally:
        for name, call in real.items():
            setattr(os, name, call)
        io.open = builtins.open = real_open


@dataclass(frozen=True)
class Fault:
    """One of the `calls` on a file called like `on` goes wrong from its `first` to its `last` time, or the first alone.

    The action is one of

        kill
        tear, short, lie: half of a write and then a kill, half of a write, which says so, or nothing, which says all
        remove, usurp OTHER, unlock, protect: somebody removes the run, puts another one in its place, removes its lock,
            or makes it read-only, just before
        E...: an error, before which half of a write is done
    """

    action: str
    calls: str = ""
    """Their names; none means all."""
    on: str = "*"
    first: int = 1
    last: int = 0


@dataclass
class Faults:
    """The faults of a process, as an `around`."""

    faults: Sequence[Fault]
    times: Counter[Fault] = field(default_factory=Counter)
    struck: bool = False

    def __call__(self, call: str, path: str, do: Callable[..., Any], *arguments: Any) -> Any:
        for fault in self.faults:
            if call in (fault.calls.split() or [call]) and fnmatch.fnmatch(os.path.basename(path), fault.on):
                self.times[fault] += 1
                if fault.first <= self.times[fault] <= max(fault.first, fault.last):
                    self.struck = True
                    return self.act(fault.action, call, do, *arguments)
        return do(*arguments)

    def act(self, action: str, call: str, do: Callable[..., Any], *arguments: Any) -> Any:
        action, _, other = action.partition(" ")
        match action, call:
            case "kill", _:
                os.kill(os.getpid(), signal.SIGKILL)
            case "tear" | "short", "write":
                written = do(arguments[0], _half(arguments[1]))
                if action == "tear":
                    os.kill(os.getpid(), signal.SIGKILL)
                return written
            case "lie", "write":
                return len(arguments[1])
            case "remove" | "usurp", _:
                shutil.rmtree("run", ignore_errors=True)
                if other:
                    shutil.copytree(other, "run")
            case "unlock", _:
                Path("run/.lock").unlink(missing_ok=True)
            case "protect", _:
                os.chmod("run", 0o555)
            case _:
                number = getattr(errno, action)
                if call == "close":  # closed it is, whatever it says
                    do(*arguments)
                if call == "write" and number != errno.EINTR:
                    do(arguments[0], _half(arguments[1]))
                raise OSError(number, os.strerror(number))
        return do(*arguments)


def _half(data: Any) -> bytes:
    """More than nothing, so that who writes it in halves comes to an end."""
    return bytes(data)[: len(data) // 2 + 1]


# --- commands in forked processes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome(Result):
    """What a command left, and the iterations at which `last.npz` was saved, as the process itself knows them."""

    saved: tuple[int, ...] = ()
    struck: bool = False
    """Whether any of its faults came."""

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith(WARNING)]

    def killed(self) -> Outcome:
        """It did not end by itself."""
        assert self.code == -signal.SIGKILL, f"exit {self.code}: {self.err}"
        return self

    def ends(self, code: int, *parts: str) -> Outcome:
        """It failed as promised: this exit code, and one error line, the last, which has these parts."""
        assert self.code == code, f"exit {self.code}: {self.err}"
        errors = [line for line in self.err.splitlines() if line.startswith("charrnn: error:")]
        assert self.err.splitlines()[-1:] == errors, self.err
        assert ERROR.fullmatch(errors[0])
        assert "Traceback" not in self.err
        for part in parts:
            assert part in errors[0]
        return self


class Forks:
    """A process that forks one for each command."""

    def __enter__(self) -> Forks:
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import crashing; crashing.serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()

    def run(self, arguments: Sequence[str], cwd: Path, *faults: Fault, **how: Any) -> Outcome:
        """`charrnn ARGUMENTS` in `cwd`; for what `how` may say see `_child` and `_attached`."""
        request = {"arguments": arguments, "cwd": str(cwd), "faults": [asdict(fault) for fault in faults], **how}
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        reply = json.loads(self._process.stdout.readline())
        if reply["skip"]:
            pytest.skip(reply["skip"])
        marks = reply["marks"]
        saved = tuple(int(mark) for mark in marks if mark.isdigit())
        return Outcome(reply["code"], reply["out"].encode(), reply["err"], saved, "struck" in marks)


def serve() -> None:
    """The life of `Forks`: a line of JSON for each command, and one for each outcome."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # each child would else begin with imports
        prepare(Path("first"))
        os.chdir("first")
        for command in (begin(), [*RESUME, "--set", "train.iterations=4"]):
            with contextlib.suppress(SystemExit):
                main([*command, "-q"])
    for line in sys.stdin:
        request = json.loads(line)
        strace = request.pop("strace", None)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            go, told = os.pipe(), os.pipe()
            child = os.fork()
            if not child:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.close(go[1])
                os.close(told[0])
                _child(go[0], told[1], strace is not None, **request)
            os.close(go[0])
            os.close(told[1])
            skip, tracer = _attached(child, strace)
            os.close(go[1])
            with open(told[0]) as pipe:
                marks = pipe.read().split()
            _, status = os.waitpid(child, 0)
            if tracer:
                tracer.wait()
            out.seek(0)
            err.seek(0)
            reply = {"code": os.waitstatus_to_exitcode(status), "marks": marks, "skip": skip}
            texts = {"out": out.read().decode(), "err": err.read().decode()}
        print(json.dumps(reply | texts), flush=True)


def _child(
    go: int,
    told: int,
    traced: bool,
    arguments: list[str],
    cwd: str,
    faults: list[dict[str, Any]],
    record: str | None = None,
    room: int | None = None,
    plain: bool = False,
) -> None:
    """The forked process.

    `record` names the file for a log of its calls, `room` is the most bytes that a file may have, and a `plain` one may
    not write where its user has no right to, even if that is root.
    """
    signal.alarm(120)
    if traced:  # which some systems allow to a parent alone; this says to all: PR_SET_PTRACER, PR_SET_PTRACER_ANY
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1))
    os.chdir(cwd)
    if room is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    if plain:
        drop_privileges()
    strikes, log = Faults([Fault(**fault) for fault in faults]), Log(Path()) if record else None

    def around(call: str, path: str, do: Callable[..., Any], *arguments: Any) -> Any:
        strike = partial(strikes, call, path, do)
        return log(call, path, strike, *arguments) if log else strike(*arguments)

    save_last, write = RunDirectory.save_last, os.write

    def marked(directory: RunDirectory, run: Any) -> None:
        save_last(directory, run)
        if log:
            log.operations.append(("saved", run.iteration))
        with contextlib.suppress(OSError):  # which strace may raise
            write(told, b"%d\n" % run.iteration)

    RunDirectory.save_last = marked  # type: ignore[method-assign]
    os.read(go, 1)
    if not traced:
        os.fsync = lambda handle: None  # a process dies here and no machine, and a disk takes its time
    code = 1
    try:
        with watched(Path(), around):
            main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    if record:
        Path(record).write_bytes(pickle.dumps(log))
    if strikes.struck:
        os.write(told, b"struck\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# --- strace ----------------------------------------------------------------------------------------------------------


def _attached(child: int, options: list[str] | None) -> tuple[str, subprocess.Popen[bytes] | None]:
    """Why strace does not trace the child, or strace itself, which does by now."""
    if options is None:
        return "", None
    tracer = subprocess.Popen(["strace", "-f", "-qq", *options, "-p", str(child)], stderr=subprocess.PIPE)
    while not re.search(r"^TracerPid:\t[1-9]", Path(f"/proc/{child}/status").read_text(), re.MULTILINE):
        if tracer.poll() is not None:
            assert tracer.stderr
            reason = tracer.stderr.read().decode().strip()
            return (f"strace cannot trace a process here: {reason}" if reason else ""), None
        time.sleep(0.001)
    return "", tracer


needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def calls_in(trace: Path) -> Counter[str]:
    """How often each system call is in the output of strace."""
    return Counter(re.findall(r"^(?:\d+ +)?(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))


# --- loss of power ---------------------------------------------------------------------------------------------------


class Log:
    """What a process did to a folder, call by call, after what was there: an `around`.

    Files and directories have numbers, as the same file may have several names; the folder itself is 0. An operation is

        bind, directory, {name: number, or None where the name is gone}
        write, file, place, bytes
        cut, file, size
        sync, file or directory
        saved, iteration
    """

    def __init__(self, folder: Path) -> None:
        self.calls: Counter[str] = Counter()
        self.operations: list[tuple[Any, ...]] = []
        self.directories = {0}
        self._numbers = {str(folder.resolve()): 0}
        """Of all that there is now, by path."""
        self._newest = 0
        self._sizes: Counter[int] = Counter()
        self._handles: dict[int, tuple[int, int]] = {}
        """The number behind each open file, and where it is written next; -1 is its end."""
        for path in sorted(folder.resolve().rglob("*")):
            self._bind({str(path): self._new()})
            if path.is_dir():
                self.directories.add(self._newest)
            else:
                self.operations.append(("write", self._newest, 0, path.read_bytes()))
                self._sizes[self._newest] = path.stat().st_size
        self.operations += [("sync", number) for number in self._numbers.values()]
        self.begins = len(self.operations)
        """What is before was there."""

    def __call__(self, call: str, path: str, do: Callable[..., Any], *arguments: Any) -> Any:
        self.calls[call] += 1
        new = not os.path.lexists(path)
        done = do(*arguments)
        match call:
            case "open":
                self._open(path, new, done, arguments[1])
            case "mkdir":
                self._bind({path: self._new()})
                self.directories.add(self._newest)
            case "link":
                self._bind({path: self._numbers[os.path.abspath(arguments[0])]})
            case "rename" | "replace":
                old = os.path.abspath(arguments[0])
                self._bind({old: None, path: self._numbers[old]})
            case "unlink" | "rmdir":
                self._bind({path: None})
            case "fsync":
                self.operations.append(("sync", self._handles[arguments[0]][0]))
            case "ftruncate":
                self._cut(self._handles[arguments[0]][0], arguments[1])
            case "write":
                self._write(arguments[0], bytes(arguments[1][:done]))
        return done

    def _new(self) -> int:
        self._newest += 1
        return self._newest

    def _bind(self, changes: dict[str, int | None]) -> None:
        for path, number in changes.items():
            if number is None:
                del self._numbers[path]
            else:
                self._numbers[path] = number
        (directory,) = {os.path.dirname(path) for path in changes}
        names = {os.path.basename(path): number for path, number in changes.items()}
        self.operations.append(("bind", self._numbers[directory], names))

    def _open(self, path: str, new: bool, handle: int, flags: int) -> None:
        if new:
            self._bind({path: self._new()})
        self._handles[handle] = self._numbers[path], -1 if flags & os.O_APPEND else 0
        if flags & os.O_TRUNC:
            self._cut(self._numbers[path], 0)

    def _cut(self, file: int, size: int) -> None:
        self._sizes[file] = size
        self.operations.append(("cut", file, size))

    def _write(self, handle: int, data: bytes) -> None:
        file, place = self._handles[handle]
        if place >= 0:
            self._handles[handle] = file, place + len(data)
        else:
            place = self._sizes[file]
        self._sizes[file] = max(self._sizes[file], place + len(data))
        self.operations.append(("write", file, place, data))

    def then(self, end: int, second: Log) -> Log:
        """The log of a process that was killed after `end` operations, and after it of the one that went on."""
        mine, others = Disk(self.directories), Disk(second.directories)
        mine.do(self.operations[:end])
        others.do(second.operations[: second.begins])
        same, unseen = {0: 0}, [0]
        while unseen:
            directory = unseen.pop()
            for name, number in others.entries[directory].items():
                same[number] = mine.entries[same[directory]][name]
                unseen += [number] if number in second.directories else []

        def renumbered(value: Any) -> Any:
            return same.get(value, value + (1 << 20)) if value is not None else None

        log = copy.copy(self)
        log.begins = end
        log.directories = self.directories | set(map(renumbered, second.directories))
        log.operations = self.operations[:end]
        for kind, number, *rest in second.operations[second.begins :]:
            if kind == "bind":
                rest = [{name: renumbered(bound) for name, bound in rest[0].items()}]
            log.operations.append((kind, number if kind == "saved" else renumbered(number), *rest))
        return log

    def versions(self, *names: str) -> list[bytes]:
        """The content of every file that ever bore one of these names."""
        disk = Disk(self.directories)
        disk.do(self.operations)
        bindings = [operation[2] for operation in self.operations if operation[0] == "bind"]
        bound = {number for names_of in bindings for name, number in names_of.items() if name in names and number}
        return [bytes(disk.contents[number]) for number in bound]

    def saved(self, end: int) -> list[int]:
        """The iterations at which `last.npz` was saved in the first `end` operations."""
        return [operation[1] for operation in self.operations[:end] if operation[0] == "saved"]


class Disk:
    """What is on a disk for certain."""

    def __init__(self, directories: set[int]) -> None:
        self.contents: dict[int, bytearray] = defaultdict(bytearray)
        self.entries: dict[int, dict[str, int]] = {number: {} for number in directories}

    def do(self, operations: Iterable[tuple[Any, ...]]) -> None:
        """Does all of them as they are."""
        for kind, *what in operations:
            if kind == "bind":
                entries = self.entries[what[0]]
                for name, number in what[1].items():
                    if number is None:
                        entries.pop(name, None)
                    else:
                        entries[name] = number
            elif kind == "cut":
                del self.contents[what[0]][what[1] :]
            elif kind == "write":
                file, place, data = what
                content = self.contents[file]
                content.extend(bytes(max(0, place - len(content))))  # a hole
                content[place : place + len(data)] = data

    def write_to(self, folder: Path, directory: int = 0) -> None:
        """Makes what is on the disk, in a new folder."""
        folder.mkdir()
        for name, number in self.entries[directory].items():
            if number in self.entries:
                self.write_to(folder / name, number)
            else:
                (folder / name).write_bytes(self.contents[number])

    def signature(self) -> bytes:
        """The same for the same content."""
        entries = [sorted(entries.items()) for entries in self.entries.values()]
        return pickle.dumps((entries, sorted(self.contents.items())))


def after_power_cut(log: Log, end: int, rng: random.Random) -> Disk:
    """What may be left if the power fails after `end` operations.

    What was synced is there. Of the rest, half of the times the first operations are there in their order, and the last
    of them perhaps torn; else any of them, in any order, and any write torn: a disk promises no more between two syncs.
    """
    disk = Disk(log.directories)
    waiting: list[tuple[Any, ...]] = []
    for operation in log.operations[:end]:
        kind, number = operation[:2]
        if kind == "sync":
            disk.do(one for one in waiting if one[1] == number)
            waiting = [one for one in waiting if one[1] != number]
        elif kind != "saved":
            waiting.append(operation)
    if rng.random() < 0.5:
        kept = waiting[: rng.randint(0, len(waiting))]
        kept[-1:] = [_torn(one, rng) for one in kept[-1:]]
    else:
        share = rng.random()
        kept = [_torn(one, rng) if rng.random() < 0.3 else one for one in waiting if rng.random() < share]
        rng.shuffle(kept)
    disk.do(kept)
    return disk


def _torn(operation: tuple[Any, ...], rng: random.Random) -> tuple[Any, ...]:
    """A write of which a part arrived, the rest missing, zero or garbage; what else there is, happens or does not."""
    if operation[0] != "write":
        return operation
    _, file, place, data = operation
    arrived = rng.randint(0, len(data))
    rest = rng.choice([b"", bytes(len(data) - arrived), rng.randbytes(len(data) - arrived)])
    return "write", file, place, data[:arrived] + rest


# --- what is left ----------------------------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def strays(run: Path) -> list[str]:
    """Temporary files."""
    return sorted(path.name for path in run.glob(".*.tmp-*"))


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl` without what a clock says."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in ("chars_per_s", "elapsed_s")} for line in lines]


@dataclass(frozen=True)
class Reference:
    """A run that nobody disturbed."""

    run: Path
    log: Log
    versions: dict[str, int]
    """The iteration of each checkpoint that it ever wrote, by sha256."""

    def iteration(self, checkpoint: bytes) -> int | None:
        """Of one of these; None of any other file."""
        return self.versions.get(hashlib.sha256(checkpoint).hexdigest())

    def lost(self, run: Path, saved: Sequence[int]) -> str:
        """What is lost of the same run, which saved `last.npz` at these iterations, in words; nothing if nothing is."""
        found = {name: self.iteration((run / name).read_bytes()) for name in CHECKPOINTS if (run / name).exists()}
        if None in found.values():
            return f"not whole: {found}"
        if saved and max([0, *found.values()]) < saved[-1]:
            return f"{saved[-1]} was saved, and there is {found}"
        if len(saved) > 1 and len({found[name] for name in (LAST, PREVIOUS) if name in found}) < 2:
            return f"{saved} were saved, and last and previous are {found}"
        return ""


def same_end(run: Path, whole: Path) -> bool:
    """Whether a run has come to the same end as the whole one, and has left nothing temporary."""
    return not strays(run) and all(sha256(run / name) == sha256(whole / name) for name in (LAST, BEST))


def undisturbed(forks: Forks, folder: Path) -> Reference:
    """Trains to the end in a new folder."""
    log = recorded(forks, begin(), prepare(folder))
    versions = {hashlib.sha256(content).hexdigest(): _iteration(content) for content in log.versions(*CHECKPOINTS)}
    return Reference(folder / "run", log, versions)


def recorded(forks: Forks, arguments: Sequence[str], folder: Path, *faults: Fault) -> Log:
    """What a command does to a folder, where it works or finds all done."""
    outcome = forks.run(arguments, folder, *faults, record=f"{folder}.log")
    assert outcome.code in (0, 2), outcome.err
    log: Log = pickle.loads(Path(f"{folder}.log").read_bytes())
    return log


def _iteration(content: bytes) -> int:
    with np.load(io.BytesIO(content)) as file:
        iteration: int = json.loads(file["__meta__"].tobytes())["iteration"]
    return iteration


def go_on(folder: Path) -> list[str]:
    """What one types after a crash: the same command with --resume, or without it where nothing was saved yet."""
    return RESUME if any((folder / "run" / name).exists() for name in CHECKPOINTS) else begin()


def again(forks: Forks, folder: Path) -> None:
    """Goes on to the end."""
    outcome = forks.run(go_on(folder), folder)
    if outcome.code != 2 or "is complete" not in outcome.err:
        outcome.ok()


# --- kills at random moments -----------------------------------------------------------------------------------------


def killed_until_done(start: Callable[..., Any], begin: Sequence[str], run: Path, least: int) -> None:
    """Kills a run at random moments and goes on with it, some `least` to twice as many times, until it is done.

    `start(*words)` starts a process. None of them may lose what one before it has saved. On a busy machine a run may be
    done before it was killed so often; then it begins anew.
    """
    for _ in range(6):
        if (kills := _kills_until_done(start, begin, run, least)) >= least:
            print(f"{kills} kills, 0 losses")
            return
        shutil.rmtree(run)
    pytest.fail(f"the run was always done before it was killed {least} times")


def _kills_until_done(start: Callable[..., Any], begin: Sequence[str], run: Path, least: int) -> int:
    rng, kills, newest, code = random.Random(least), 0, 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        with start(*(RESUME if newest else begin), "-q", cwd=run.parent) as process:
            if kills < 2 * least:
                _wait_for_any_moment(process, run / "metrics.jsonl", rng)
            else:  # on a busy machine it would take for ever
                process.wait(timeout=100)
        code = process.returncode
        kills += code == -signal.SIGKILL
        found = [checkpoints.load(run / name).iteration for name in CHECKPOINTS if (run / name).exists()]
        assert max(found, default=0) >= newest
        newest = max(found, default=0)
    assert code in (0, 2)  # 2 where the last kill came when all was done
    return kills


def _wait_for_any_moment(process: subprocess.Popen[bytes], metrics: Path, rng: random.Random) -> None:
    """A quarter of the times one of the start, else one of the training, some lines of metrics later."""

    def lines() -> int:
        return metrics.read_bytes().count(b"\n") if metrics.exists() else 0

    if rng.random() < 0.25:
        moment = rng.uniform(0, 0.4)
    else:
        moment, wanted = rng.uniform(0, 0.02), lines() + rng.randint(0, 4)
        while lines() < wanted and not _ends_within(0.002, process):
            pass
    _ends_within(moment, process)


def _ends_within(seconds: float, process: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    return process.returncode is not None
