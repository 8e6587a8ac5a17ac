"""Signals, at any moment; locks; and readers of a run that is being saved."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import pkgutil
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crashing import ALWAYS, CHANGING, Fault, Faults, metrics_of, same_end, strays, watched
from driving import Result, in_process, inheriting

import charrnn as package
from charrnn.cores import available_cores
from charrnn.runs import checkpoint as checkpoints
from charrnn.runs.places import BEST, CHECKPOINTS, LAST, LOCK, METRICS

fcntl, termios = (pytest.importorskip(name, reason="POSIX signals") for name in ("fcntl", "termios"))
needs_proc = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="it is seen in /proc what a process does")

NUMBERS = {name: getattr(signal, name, 0) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")}
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
PATIENCE = 60
"""Seconds after which a process that should have done something is taken for stuck."""


def sets(*settings):
    return [word for setting in settings for word in ("--set", setting)]


def sample(few, many):
    """A parameter for the tests of every day, and another one for the long ones."""
    return [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.long)]


def wait_until(happened, what="it"):
    """Waits for a condition, and returns what made it true."""
    for _ in range(PATIENCE * 100):
        if found := happened():
            return found
        time.sleep(0.01)
    pytest.fail(f"{what} did not happen")


# --- signals in this process ------------------------------------------------------------------------------------------


def nobody(number, frame):
    raise AssertionError(f"nobody handles {signal.Signals(number).name}")


@pytest.fixture(autouse=True)
def guarded():
    """A signal that is sent to this process and that charrnn does not handle fails the test, and no more."""
    before = {number: signal.signal(number, nobody) for number in NUMBERS.values()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextlib.contextmanager
def signal_at(place, *calls, name="SIGINT"):
    """Has this process send itself a signal as it begins these calls of a function. Yields a list of those sent."""
    function, count, sent = pkgutil.resolve_name(place), itertools.count(1), []

    def signalled(*arguments, **options):
        if next(count) in calls:
            sent.append(name)
            os.kill(os.getpid(), NUMBERS[name])
        return function(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, signalled)
        yield sent


@contextlib.contextmanager
def as_a_process():
    """Takes away what an interrupted command leaves to the end of its process: handlers not put back, and its lock."""
    gc.freeze()  # so that it need not look at all that was there before
    try:
        yield
    finally:
        for number in NUMBERS.values():
            signal.signal(number, nobody)
        gc.collect()
        gc.unfreeze()


unclosed = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""For tests that use it."""

OWN = str(Path(package.__file__).parent) + os.sep


def at_line(number, name, do, times=1):
    """Does something, and sends a signal at the n-th of charrnn's lines. Returns what is done, and how many lines are.

    Only those count at which charrnn handles signals, of which SIGUSR1 is the last.
    """
    lines = 0

    def enter(frame, event, argument):
        return each if frame.f_code.co_filename.startswith(OWN) else None

    def each(frame, event, argument):
        nonlocal lines
        if event == "line" and signal.getsignal(signal.SIGUSR1) is not nobody:
            lines += 1
            for _ in range(times if lines == number else 0):
                os.kill(os.getpid(), NUMBERS[name])
        return each

    before = sys.gettrace()
    with as_a_process():
        sys.settrace(enter)
        try:
            return do(), lines
        finally:
            sys.settrace(before)


def stopped(result, name, *parts):
    """It ended as a signal asks it to: the exit code, and one line."""
    assert result.code == 128 + NUMBERS[name], f"exit {result.code}: {result.err}"
    assert re.fullmatch(r"charrnn: error: .+; .+\n", result.err), result.err
    for part in (f"stopped by {name}", *parts):
        assert part in result.err
    return result


def advice(result):
    """The words of the command that goes on."""
    program, *words = shlex.split(result.err.partition("continue with: ")[2])
    assert program == "charrnn"
    assert words[-1] == "--resume"
    return words


# --- training ---------------------------------------------------------------------------------------------------------

NOISY = sets("model.dropout=0.3", "train.threads=1", "data.split=[0.8,0.2,0]")
"""A run of 12 iterations with evaluations at 5, 10 and 12, each of ten windows, and checkpoints there too."""


@pytest.fixture(scope="module")
def whole(text, tiny, tmp_path_factory):
    """The run that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    in_process("train", text, "-c", tiny, "-q", "-o", "run", *NOISY, cwd=folder).ok()
    return folder / "run"


def assert_same(run, whole):
    assert same_end(run, whole)
    assert metrics_of(run) == metrics_of(whole)


MOMENTS = {
    "as an iteration begins": ("charrnn.text.streams.Windows.batch", 7, 7),
    "in the middle of an update": ("charrnn.nn.model.CharLM.loss_and_grads", 7, 7),
    "between gradient and weights": ("charrnn.optim.optimizers._divide_by_root", 7, 7),
    "before the first update": ("charrnn.training.loop.updates", 1, 1),
    "in an evaluation": ("charrnn.nn.head.nats", 1, 5),
    "in the last window of an evaluation": ("charrnn.nn.head.nats", 20, 10),
    "as metrics are written": ("charrnn.runs.directory.RunDirectory.append_metrics", 2, 10),
    "as the best is saved": ("charrnn.runs.directory.RunDirectory.save_best", 1, 5),
    "as the last is saved": ("charrnn.runs.directory.RunDirectory.save_last", 2, 10),
    "as the last becomes the previous": ("charrnn.runs.directory.RunDirectory._rotate", 1, 10),
    "as it is shown": ("charrnn.cli.display.Display.show", 6, 7),
}
"""A function, which of its calls, and the iteration after which the run is saved."""


def interrupt(charrnn, train, whole, run, moment, name):
    """Sends a signal at that moment, goes on as told, and compares the end."""
    place, call, iteration = MOMENTS[moment]
    with signal_at(place, call, name=name):
        result = train("-o", "run", *NOISY)
    stopped(result, name, f"at iteration {iteration}, and saved; continue with: ")
    assert checkpoints.load(run / LAST).iteration == iteration
    assert not strays(run)
    charrnn(*advice(result), "-q").ok()
    assert_same(run, whole)


@pytest.mark.parametrize("moment", MOMENTS)
def test_row_32_interrupted_at_any_moment_a_run_saves_and_goes_on_unchanged(charrnn, train, whole, tmp_path, moment):
    interrupt(charrnn, train, whole, tmp_path / "run", moment, "SIGINT")


@pytest.mark.parametrize("moment", MOMENTS)
def test_row_34_terminated_at_any_moment_a_run_saves_and_goes_on_unchanged(charrnn, train, whole, tmp_path, moment):
    interrupt(charrnn, train, whole, tmp_path / "run", moment, "SIGTERM")


@pytest.mark.parametrize("moment", MOMENTS)
def test_row_35_hung_up_at_any_moment_a_run_saves_and_goes_on_unchanged(charrnn, train, whole, tmp_path, moment):
    interrupt(charrnn, train, whole, tmp_path / "run", moment, "SIGHUP")


def finish(train, result, whole, run):
    """Does what an interrupted command says, and compares the end."""
    if result.code:
        went_on = "continue with: " in result.err or "what was saved before, if anything, is whole" in result.err
        assert went_on or "nothing was changed; run the command again" in result.err
        if any((run / name).exists() for name in CHECKPOINTS):
            done = train("-o", "run", "--resume", *NOISY)
            assert done.code == 0 or "is complete" in done.err
        else:
            train("-o", "run", *NOISY).ok()
    assert_same(run, whole)


@unclosed
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("count", sample(5, 400))
def test_row_32_interrupted_at_any_line_a_run_goes_on_as_if_it_had_not_been(train, whole, tmp_path, count, times):
    run = tmp_path / "run"
    _, lines = at_line(0, "SIGINT", lambda: train("-o", "run", *NOISY).ok())
    for number in range(1, lines, lines // count):
        shutil.rmtree(run)
        name = "SIGINT" if times == 2 else STOPPING[number % 3]
        result, _ = at_line(number, name, lambda: train("-o", "run", *NOISY), times)
        if result.code and "at once" not in result.err:  # else it had come to its end
            stopped(result, name)
        finish(train, result, whole, run)
    print(f"interrupted at each {lines // count}th of {lines:,} lines, 0 differences")


@unclosed
@pytest.mark.parametrize("count", sample(5, 400))
def test_row_32_interrupted_at_any_line_a_resumed_run_goes_on_unchanged(train, whole, tmp_path, count):
    begun, run = tmp_path / "begun", tmp_path / "run"
    with signal_at("charrnn.nn.head.nats", 4):
        stopped(train("-o", "begun", *NOISY), "SIGINT", "at iteration 5")
    shutil.copytree(begun, run)
    _, lines = at_line(0, "SIGINT", lambda: train("-o", "run", "--resume", *NOISY).ok())
    for number in range(1, lines, lines // count):
        shutil.rmtree(run)
        shutil.copytree(begun, run)
        result, _ = at_line(number, STOPPING[number % 3], lambda: train("-o", "run", "--resume", *NOISY))
        if result.code:
            stopped(result, STOPPING[number % 3])
        finish(train, result, whole, run)
    print(f"interrupted at each {lines // count}th of {lines:,} lines, 0 differences")


@contextlib.contextmanager
def interrupt_at_call(number, run, since=(True,)):
    """Interrupts right before, or after, the n-th call that changes a file of the run.

    Only those count that come when `since` holds something. Yields a list of them; each is there twice.
    """
    calls = []

    def interrupt(call):
        if call in CHANGING.split() and since:
            calls.append(call)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGINT)

    def around(call, path, do, *arguments):
        interrupt(call)
        done = do(*arguments)
        interrupt(call)
        return done

    with as_a_process(), watched(run, around):
        yield calls


@unclosed
@pytest.mark.parametrize("stride", sample(23, 1))
def test_row_32_interrupted_at_any_call_of_a_save_a_run_goes_on_unchanged(train, whole, tmp_path, stride):
    run = tmp_path / "run"
    for number in itertools.count(1, stride):
        with interrupt_at_call(number, run) as calls:
            result = train("-o", "run", *NOISY)
        if len(calls) < number:
            break
        if result.code:  # else it had come to its end
            stopped(result, "SIGINT")
        finish(train, result, whole, run)
        shutil.rmtree(run)
    print(f"{number:,} interruptions")
    assert number > 100


@unclosed
@pytest.mark.parametrize("stride", sample(4, 1))
def test_row_33_interrupted_again_in_any_call_of_a_save_a_run_stays_whole(train, whole, tmp_path, stride):
    run = tmp_path / "run"
    for number in itertools.count(1, stride):
        with (
            signal_at("charrnn.text.streams.Windows.batch", 7) as sent,
            interrupt_at_call(number, run, since=sent) as calls,
        ):
            result = train("-o", "run", *NOISY)
        if len(calls) < number:
            break
        assert (result.code, result.err) == (
            130,
            "charrnn: error: stopped at once; what was saved before, if anything, is whole\n",
        )
        there = [checkpoints.load(run / name).iteration for name in CHECKPOINTS if (run / name).exists()]
        assert max(there) >= 5
        finish(train, result, whole, run)
        shutil.rmtree(run)
    print(f"{number:,} interruptions of a save")
    assert number > 12


@pytest.mark.parametrize(
    ("first", "second", "saved"),
    [
        ("SIGINT", "SIGTERM", True),
        ("SIGTERM", "SIGTERM", True),
        ("SIGHUP", "SIGTERM", True),
        ("SIGTERM", "SIGINT", False),
        ("SIGHUP", "SIGINT", False),
    ],
)
def test_row_33_of_two_signals_the_second_counts_and_an_interrupt_is_at_once(train, tmp_path, first, second, saved):
    with (
        signal_at("charrnn.text.streams.Windows.batch", 7, name=first),
        signal_at("charrnn.nn.model.CharLM.loss_and_grads", 7, name=second),
    ):
        result = train("-o", "run", *NOISY)
    assert result.code == 128 + NUMBERS[second]
    assert ("at iteration 7, and saved" in result.err) == saved
    assert ("stopped at once" in result.err) != saved
    assert checkpoints.load(tmp_path / "run" / LAST).iteration == (7 if saved else 5)


@pytest.mark.parametrize(
    ("command", "place", "times"),
    [("sample RUN", "checkpoint.load", 1), ("eval RUN TEXT", "run.Run.blank", 1), ("", "checkpoint.to_bytes", 2)],
)
def test_row_33_what_a_signal_breaks_off_may_raise_what_it_likes(
    charrnn, train, trained, text, tmp_path, monkeypatch, command, place, times
):
    """As a zip archive does that is closed while it is written."""

    def broken_off(*arguments):
        try:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        finally:
            raise ValueError("it is open")

    monkeypatch.setattr(f"charrnn.runs.{place}", broken_off)
    words = [{"RUN": trained, "TEXT": text}.get(word, word) for word in command.split()]
    result = charrnn(*words) if words else train("-o", "run", *NOISY)
    assert result.code == 130
    (line,) = result.err.splitlines()
    assert re.match("charrnn: error: stopped (by SIGINT|at once)", line)


@pytest.mark.parametrize("stride", sample(5, 1))
def test_row_34_a_run_is_saved_within_an_iteration_or_a_window_of_evaluation(train, tmp_path, monkeypatch, stride):
    """Counted from any iteration and any window, of which there are 12 and 30."""
    done, places = [], {"update": "charrnn.nn.model.CharLM.loss_and_grads", "window": "charrnn.nn.head.nats"}

    def counted(kind):
        exact = pkgutil.resolve_name(places[kind])

        def count(*arguments, **more):
            done.append(kind)
            if len(done) == number:
                os.kill(os.getpid(), signal.SIGTERM)
            return exact(*arguments, **more)

        return count

    for kind, place in places.items():
        monkeypatch.setattr(place, counted(kind))
    for number in range(1, 43, stride):
        done.clear()
        stopped(train("-o", f"run-{number}", *NOISY), "SIGTERM")
        assert done[number:] in ([], ["window"]), f"after {number}"


# --- other commands ---------------------------------------------------------------------------------------------------

COMMANDS = {
    "sample": "sample RUN -n 30",
    "several samples": "sample RUN -n 10 --samples 3 --prompt fox",
    "eval": "eval RUN TEXT",
    "eval with a page": "eval RUN TEXT --heat page.html",
    "eval that learns on": "eval RUN TEXT --dynamic",
    "compress": "compress RUN TEXT -o small --rows 40",
    "gradcheck": "gradcheck --cell rnn",
    "gradflow": "gradflow --cell gru --length 9",
    "gradflow of a model": "gradflow RUN --length 9 --plot curves.svg",
    "info": "info RUN",
    "config": "config show lstm",
    "corpus": "corpus list",
}


def words_of(command, run, text):
    words = [{"RUN": run, "TEXT": text}.get(word, word) for word in COMMANDS[command].split()]
    return [*words, *["--seed", "1"] * ("sample" in command)]  # else that which is drawn is told, in a line


@unclosed
@pytest.mark.parametrize("count", sample(3, 200))
@pytest.mark.parametrize("command", COMMANDS)
def test_row_32_interrupted_at_any_line_a_command_ends_with_one(charrnn, trained, text, tmp_path, command, count):
    words = words_of(command, trained, text)

    def clear():
        for path in tmp_path.iterdir():
            path.unlink()

    charrnn(*words).ok()  # which imports what it needs
    clear()  # a page that is there is looked at, and its lines would count
    _, lines = at_line(0, "SIGINT", lambda: charrnn(*words).ok())
    for number in range(1, lines, max(1, lines // count)):
        clear()
        name = STOPPING[number % 3]
        result, _ = at_line(number, name, lambda: charrnn(*words))
        stopped(result, name, "nothing was changed; run the command again")
        assert [path.name for path in tmp_path.iterdir() if ".tmp-" in path.name] == []
    print(f"interrupted at each {max(1, lines // count)}th of {lines:,} lines")


@pytest.mark.parametrize("command", COMMANDS)
def test_row_35_what_saves_a_run_does_nothing_to_another_command(charrnn, trained, text, command):
    words = words_of(command, trained, text)
    whole = charrnn(*words).ok()
    result, lines = at_line(9, "SIGUSR1", lambda: charrnn(*words))
    assert lines > 9
    assert result.ok() == whole


# --- USR1 -------------------------------------------------------------------------------------------------------------


def test_row_35_a_run_is_saved_each_time_it_is_asked_to_and_ends_the_same(charrnn, text, tiny, whole, tmp_path):
    with signal_at("charrnn.training.loop._compute", 3, 4, 8, name="SIGUSR1") as sent:
        result = charrnn("train", text, "-c", tiny, "-o", "run", *NOISY).ok()
    assert len(sent) == 3
    said = [line for line in result.err.splitlines() if "SIGUSR1" in line]
    assert said == [f"saved at iteration {n}, as SIGUSR1 asked for" for n in (3, 4, 8)]
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize("moment", MOMENTS)
def test_row_35_a_run_is_saved_whenever_it_is_asked_to_and_ends_the_same(train, whole, tmp_path, moment):
    place, call, _ = MOMENTS[moment]
    with signal_at(place, call, name="SIGUSR1") as sent:
        assert train("-o", "run", *NOISY).ok().err == ""
    assert sent
    assert_same(tmp_path / "run", whole)


def test_row_35_a_save_that_was_asked_for_and_fails_is_only_a_warning(train, whole, tmp_path):
    full = Faults([Fault("ENOSPC", "write", on=".last.npz.tmp-*")])  # the first time alone
    with signal_at("charrnn.text.streams.Windows.batch", 3, name="SIGUSR1"), watched(tmp_path / "run", full):
        result = train("-o", "run", *NOISY).ok()
    (line,) = result.err.splitlines()
    assert line.startswith("charrnn: warning: cannot write run/last.npz: No space left on device")
    assert "last.npz has nothing of iteration 3, and training goes on" in line
    assert_same(tmp_path / "run", whole)


def test_row_35_if_the_disk_stays_full_saves_that_were_asked_for_warn_once(train, tmp_path):
    full = Faults([Fault("ENOSPC", "write", on=".last.npz.tmp-*", last=ALWAYS)])
    with signal_at("charrnn.text.streams.Windows.batch", 3, 4, name="SIGUSR1"), watched(tmp_path / "run", full):
        result = train("-o", "run", *NOISY)
    assert result.code == 6
    told, error = result.err.splitlines()
    assert "last.npz has nothing of iteration 3, and training goes on" in told
    assert error.startswith("charrnn: error: cannot write run/last.npz")


# --- real processes ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def launched(*words, cwd, code="", **options):
    """A process `charrnn WORDS`, or of some code with these words; at the end it is killed."""
    with inheriting():
        process = subprocess.Popen(
            [sys.executable, *(["-c", code] if code else ["-m", "charrnn"]), *map(str, words)],
            cwd=cwd,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def ending(process):
    """What it says on its way to its end, as a result."""
    out, err = process.communicate(timeout=PATIENCE)
    return Result(process.returncode, out, err.decode())


def has_numpy(pid):
    """Whether it has begun to import NumPy, and so its command."""
    with contextlib.suppress(OSError):
        return "_multiarray_umath" in Path(f"/proc/{pid}/maps").read_text()
    return False


def alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def descendants(pid):
    """The processes that it has started, and those that these have."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [below for child in found for below in descendants(child)]


ENDLESS = [*NOISY, *sets("train.iterations=10000000", "train.checkpoint_every=1000000")]
"""Saves nothing but its best."""
TWO_PROCESSES = sets("train.layout=2x1", "model.hidden_size=80", "train.batch_size=16", "train.seq_length=64")
"""A network that is trained by two processes."""


@pytest.fixture
def endless(text, tiny):
    return ["train", text, "-c", tiny, "-o", "run", *ENDLESS]


def lines_of_metrics(run):
    with contextlib.suppress(FileNotFoundError):
        return (run / METRICS).read_bytes().count(b"\n")
    return 0


def assert_goes_on(train, run):
    """Resumed, for a while, it becomes what it would have been."""
    newest = max(checkpoints.load(path).iteration for path in run.glob("*.npz"))
    end = sets(f"train.iterations={newest + 9}")
    train("-o", run, "--resume", *ENDLESS, *end).ok()
    train("-o", "uninterrupted", *ENDLESS, *end).ok()
    assert_same(run, run.with_name("uninterrupted"))


# --- row 32: in a terminal ---

IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "charrnn", *sys.argv[1:]])
"""


@contextlib.contextmanager
def in_terminal(*words, cwd):
    """A process `charrnn WORDS` in a terminal of its own, and the open file behind which its user sits."""
    user, screen = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), screen)
    with inheriting():
        process = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, *map(str, words)], **streams, cwd=cwd, start_new_session=True
        )
    os.close(screen)
    with os.fdopen(user, "r+b", buffering=0) as user:
        try:
            yield process, user
        finally:
            process.kill()
            process.wait()


def screen_at_the_end(process, user):
    """All that it has shown; it must end by itself."""
    shown = b""
    while select.select([user], [], [], PATIENCE)[0]:
        try:
            data = user.read(1 << 16)
        except OSError:  # as Linux says that nobody is there any more
            break
        if not data:
            break
        shown += data
    process.wait(timeout=PATIENCE)
    return shown.decode(errors="replace")


@pytest.fixture
def slow(trained, text, endless, tmp_path):
    """Commands that take their time, by name."""
    (tmp_path / "long.txt").write_text(text.read_text() * 1000)
    (tmp_path / "deep.yaml").write_text("model: {cell: lstm_peephole, num_layers: 24}\n")
    return {
        "train": endless,
        "train in two processes": [*endless, *TWO_PROCESSES],
        "sample": ["sample", trained, "-n", 10**8],
        "several samples": ["sample", trained, "-n", 10**7, "--samples", 3],
        "eval": ["eval", trained, "long.txt"],
        "gradcheck": ["gradcheck", "deep.yaml"],
        "gradcheck of all": ["gradcheck", "--all"],
        "gradflow": ["gradflow", "--length", 10_000],
    }


SLOW = (
    "train",
    "train in two processes",
    "sample",
    "several samples",
    "eval",
    "gradcheck",
    "gradcheck of all",
    "gradflow",
)
PROCESSES = {"train in two processes": 1, "gradcheck of all": 2 if available_cores() > 1 else 0}
"""How many a command starts at least; on one core, a gradient check starts none."""


@needs_proc
@pytest.mark.parametrize(
    ("command", "when"),
    [(command, has_numpy) for command in SLOW] + [(command, alive) for command in PROCESSES],
    ids=[*SLOW, *(f"{command}, as they start" for command in PROCESSES)],
)
def test_row_32_ctrl_c_ends_a_command_with_one_line_and_leaves_no_process(slow, tmp_path, command, when):
    with in_terminal(*slow[command], cwd=tmp_path) as (process, user):
        wait_until(lambda: has_numpy(process.pid))
        wait_until(lambda: sum(map(when, descendants(process.pid))) >= PROCESSES.get(command, 0))
        if "train" in command and when is has_numpy:
            wait_until(lambda: lines_of_metrics(tmp_path / "run"))
        user.write(b"\x03")
        below = descendants(process.pid)
        shown = screen_at_the_end(process, user)
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert shown.count("charrnn: error: ") == 1
    assert re.search(r"charrnn: error: stopped by SIGINT[^\n]+; (continue with|run the command again)[^\n]*\n$", shown)
    wait_until(lambda: not any(map(alive, below)), "the end of the other processes")
    if "train" in command:
        assert checkpoints.load(tmp_path / "run" / LAST).iteration > 0


def waits_in_vain(process, pipe):
    """Whether it has read all that there is, and sleeps."""
    left = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return left == bytes(4) and Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@needs_proc
@pytest.mark.parametrize("command", ["train slow.txt -o run", "train - -o run", "eval RUN slow.txt", "eval RUN -"])
def test_row_32_interrupted_waiting_for_its_text_a_command_ends_in_one_line(trained, tmp_path, command):
    words = [trained if word == "RUN" else word for word in command.split()]
    os.mkfifo(tmp_path / "slow.txt")
    with launched(*words, cwd=tmp_path, stdin=subprocess.PIPE) as process, contextlib.ExitStack() as stack:
        pipe = process.stdin
        if "-" not in words:
            pipe = stack.enter_context(open(tmp_path / "slow.txt", "wb"))  # which waits for the reader
        pipe.write(b"a fox, a dog\n" * 20_000)  # more than a pipe holds
        pipe.flush()
        wait_until(lambda: waits_in_vain(process, pipe))
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)
        result = Result(process.returncode, process.stdout.read(), process.stderr.read().decode())
    stopped(result, "SIGINT", "nothing was changed; run the command again")
    assert not (tmp_path / "run").exists()


# --- row 32: as it begins and as it ends ---

IMPORTING = """
import os, signal, sys

class Nth:
    left = int(sys.argv.pop(1))

    def find_spec(self, *arguments):
        Nth.left -= 1
        if Nth.left == 0:
            os.kill(os.getpid(), signal.SIGINT)

import charrnn.__main__
sys.meta_path.insert(0, Nth())
charrnn.__main__.main()
"""


@pytest.mark.parametrize("numbers", sample([1, 25, 60, 120, 200], range(1, 1000)))
def test_row_32_interrupted_at_any_import_a_command_ends_without_a_traceback(trained, tmp_path, numbers):
    """At first, while it cannot say a word yet, with none; then with one line."""
    codes = []
    for number in numbers:
        with launched(number, "sample", trained, "-n", 5, cwd=tmp_path, code=IMPORTING) as process:
            result = ending(process)
        if result.code == 0:  # there are not so many
            break
        codes.append(result.code)
        if result.code == -signal.SIGINT:
            assert (result.out, result.err) == (b"", "")
        else:
            stopped(result, "SIGINT")
    print(f"{len(codes)} imports interrupted")
    assert codes == sorted(codes)
    assert set(codes) == {-signal.SIGINT, 130}


SIGNALLED = """
import os, pkgutil, signal, sys
place, _, name = sys.argv.pop(1).rpartition(".")
place = pkgutil.resolve_name(place)
function = getattr(place, name)

def signalled(*arguments):
    setattr(place, name, function)
    os.kill(os.getpid(), signal.SIGINT)
    return function(*arguments)

setattr(place, name, signalled)
from charrnn.__main__ import main
main()
"""


@pytest.mark.parametrize("place", ["charrnn.cli.main._explain", "sys.exit", "threading._shutdown"])
@pytest.mark.parametrize("command", [["sample", "nowhere"], ["config", "list"]], ids=["error", "success"])
def test_row_32_interrupted_on_its_way_out_a_command_ends_without_a_traceback(tmp_path, place, command):
    with launched(place, *command, cwd=tmp_path, code=SIGNALLED) as process:
        result = ending(process)
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) <= 1
    assert result.code in (-signal.SIGINT, 130, 0 if command == ["config", "list"] else 4)


def test_row_32_interrupted_while_gradcheck_starts_its_processes_it_ends(charrnn, monkeypatch):
    monkeypatch.setattr("charrnn.cli.processes.available_cores", lambda: 2)  # whatever this machine has
    with signal_at("concurrent.futures.ProcessPoolExecutor.map", 1) as sent:
        result = charrnn("gradcheck", "--all", "--cell", "rnn")
    assert sent
    stopped(result, "SIGINT")


# --- row 33 ---

SLOWED = """
import pkgutil, sys, time
place, seconds, marks = sys.argv[1:4]
del sys.argv[1:4]
place, _, name = place.rpartition(".")
place = pkgutil.resolve_name(place)
function = getattr(place, name)

def slow(*arguments):
    with open(marks, "a") as file:
        file.write(".")
    time.sleep(float(seconds))
    return function(*arguments)

setattr(place, name, slow)
from charrnn.__main__ import main
main()
"""
"""A charrnn one of whose functions takes its time. Each call leaves a mark."""


@pytest.mark.parametrize("place", ["temporary", "replace", "sync_directory"])
def test_row_33_interrupted_again_as_it_saves_a_run_ends_at_once_and_whole(train, endless, tmp_path, place):
    run, marks = tmp_path / "run", tmp_path / "marks"
    words = [f"charrnn.runs.directory.{place}", 600, marks, *endless, "-q"]
    with launched(*words, cwd=tmp_path, code=SLOWED) as process:
        wait_until(lambda: lines_of_metrics(run))
        process.send_signal(signal.SIGINT)
        wait_until(marks.exists)  # it is saving, and will be for ten minutes
        began = time.monotonic()
        while process.poll() is None:  # as a user who does not see at once that it was heard
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
        took = time.monotonic() - began
        result = ending(process)
    assert took < 10  # a second, where the machine has nothing else to do
    assert result.code in (130, -signal.SIGINT)
    assert result.err in ("", "charrnn: error: stopped at once; what was saved before, if anything, is whole\n")
    assert all(checkpoints.load(path).iteration for path in run.glob("*.npz"))
    assert_goes_on(train, run)


# --- row 34 ---


def test_row_34_a_run_that_is_terminated_saves_and_goes_on_unchanged(train, endless, tmp_path):
    with launched(*endless, "-q", cwd=tmp_path) as process:
        wait_until(lambda: lines_of_metrics(tmp_path / "run"))
        process.send_signal(signal.SIGTERM)
        result = ending(process)
    stopped(result, "SIGTERM", "and saved; continue with: charrnn train -o run --resume")
    assert_goes_on(train, tmp_path / "run")


def test_row_34_a_run_terminated_in_an_evaluation_does_not_wait_for_its_end(train, endless, tmp_path):
    """Each of the ten windows takes its time."""
    run, marks = tmp_path / "run", tmp_path / "marks"
    with launched("charrnn.nn.head.nats", 0.4, marks, *endless, "-q", cwd=tmp_path, code=SLOWED) as process:
        wait_until(lambda: marks.exists() and marks.stat().st_size == 2)
        process.send_signal(signal.SIGTERM)
        stopped(ending(process), "SIGTERM", "at iteration 5, and saved")
    assert marks.stat().st_size <= 4
    assert checkpoints.load(run / LAST).scores is None
    assert_goes_on(train, run)


# --- row 35 ---


@pytest.mark.anywhere
def test_row_35_a_run_whose_terminal_is_closed_is_saved(train, endless, tmp_path):
    with in_terminal(*endless, cwd=tmp_path) as (process, user):
        wait_until(lambda: lines_of_metrics(tmp_path / "run"))
        user.close()
        process.wait(timeout=PATIENCE)
    assert process.returncode == 129
    assert LAST in {path.name for path in (tmp_path / "run").iterdir()}
    assert_goes_on(train, tmp_path / "run")


def test_row_35_a_run_is_saved_whenever_it_is_asked_to(train, endless, tmp_path):
    run, saved = tmp_path / "run", []
    with launched(*endless, cwd=tmp_path) as process:
        wait_until(lambda: lines_of_metrics(run))
        for _ in range(3):
            process.send_signal(signal.SIGUSR1)
            line = next(line for line in process.stderr if line.startswith(b"saved at iteration "))
            saved.append(int(re.search(rb"[\d,]+", line)[0].replace(b",", b"")))
            assert checkpoints.load(run / LAST).iteration == saved[-1]
        process.send_signal(signal.SIGTERM)
        assert ending(process).code == 143
    assert saved == sorted(set(saved))
    assert_goes_on(train, run)


# --- killed ---


@needs_proc
@pytest.mark.parametrize("when", [has_numpy, alive], ids=["at work", "just started"])
@pytest.mark.parametrize("command", PROCESSES)
def test_row_38_killed_a_command_leaves_no_process_behind(slow, tmp_path, command, when):
    with launched(*slow[command], cwd=tmp_path) as process:
        wait_until(lambda: sum(map(when, descendants(process.pid))) >= PROCESSES[command])
        below = descendants(process.pid)
        process.kill()
        process.wait()
    wait_until(lambda: not any(map(alive, below)), "the end of the other processes")


# --- row 37: two at once ---

RACER = """
import os, sys, time
from pathlib import Path
from charrnn.errors import CharrnnError
from charrnn.runs.directory import RunDirectory

print(os.getpid(), flush=True)
for line in sys.stdin:
    path, moment = line.split()
    while time.monotonic() < float(moment):
        pass
    try:
        directory = RunDirectory(Path(path))
    except CharrnnError as error:
        print(error.exit_code, error, flush=True)
        sys.stdin.readline()
    else:
        print("won", flush=True)
        sys.stdin.readline()
        directory.close()
"""


def tell(process, line):
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()


@pytest.mark.parametrize("rounds", sample(10, 1000))
@pytest.mark.parametrize("before", ["new", "abandoned"])
def test_row_37_of_two_that_take_a_directory_at_once_one_wins_and_is_named(tmp_path, rounds, before):
    with contextlib.ExitStack() as stack:
        racers = [stack.enter_context(launched(cwd=tmp_path, code=RACER, stdin=subprocess.PIPE)) for _ in range(2)]
        pids = [int(racer.stdout.readline()) for racer in racers]
        wins = [0, 0]
        for number in range(rounds):
            path = tmp_path / f"run-{number}"
            if before == "abandoned":
                path.mkdir()
                (path / LOCK).write_text("process 999999999 on elsewhere")
            for racer in racers:
                tell(racer, f"{path} {time.monotonic() + 0.002}")
            told = [racer.stdout.readline().decode() for racer in racers]
            winner = told.index("won\n")
            assert told[1 - winner].startswith(f"7 {path} is in use by process {pids[winner]} on ")
            wins[winner] += 1
            for racer in racers:
                tell(racer, "")
    print(f"{rounds:,} rounds, won {wins[0]:,} to {wins[1]:,}")


@pytest.mark.parametrize("rounds", sample(2, 20))
def test_row_37_of_two_runs_that_begin_in_a_directory_one_wins_and_is_named(endless, tmp_path, rounds):
    for number in range(rounds):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        with launched(*endless, "-q", cwd=folder) as one, launched(*endless, "-q", cwd=folder) as other:
            wait_until(lambda: one.poll() is not None or other.poll() is not None)
            loser, winner = (one, other) if one.poll() is not None else (other, one)
            ending(loser).fails(7, f"run is in use by process {winner.pid} on ", "; wait for it, or choose another")
            wait_until((folder / "run" / METRICS).exists)
            winner.send_signal(signal.SIGINT)
            stopped(ending(winner), "SIGINT", "and saved")
        assert checkpoints.load(folder / "run" / LAST).iteration > 0


# --- row 38: killed, and read ---


def test_row_38_a_directory_in_use_is_locked_until_its_process_is_killed(train, endless, tmp_path):
    run = tmp_path / "run"
    with launched(*endless, "-q", cwd=tmp_path) as process:
        wait_until((run / BEST).exists)
        for words in ([], ["--resume"]):
            train("-o", "run", *words).fails(7, f"run is in use by process {process.pid} on ")
        assert process.poll() is None
        process.kill()
        process.wait(timeout=PATIENCE)
    assert f"process {process.pid} on " in (run / LOCK).read_text()
    assert_goes_on(train, run)


def test_row_38_what_a_lock_says_holds_nobody_off(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text(f"process {os.getppid()} on {socket.gethostname()}")
    train("-o", "run").ok()
    (tmp_path / "run" / LOCK).write_bytes(b"\xff\0 and no text at all")
    train("-o", "run", "--resume", *sets("train.iterations=14")).ok()


@pytest.mark.parametrize("loads", sample(20, 1000))
def test_row_38_whatever_is_read_while_a_run_saves_as_fast_as_it_can_is_whole(charrnn, endless, tmp_path, loads):
    run, seen = tmp_path / "run", {name: [] for name in CHECKPOINTS}
    with launched(*endless, "-q", *sets("train.checkpoint_every=1", "train.eval_every=1"), cwd=tmp_path) as process:
        wait_until(lambda: all((run / name).exists() for name in CHECKPOINTS))
        while len(seen[LAST]) < loads or seen[LAST][-1] < seen[LAST][0] + 10:
            for name, iterations in seen.items():
                iterations.append(checkpoints.load(run / name).iteration)
            assert process.poll() is None
        for _ in range(5):
            charrnn("sample", "run", "-n", 5).ok()
            charrnn("info", "run/last.npz", "--json").ok()
    for name, iterations in seen.items():
        assert iterations == sorted(iterations), name
    print(f"{3 * len(seen[LAST]):,} loads, of iterations {seen[LAST][0]:,} to {seen[LAST][-1]:,}")


def test_row_38_a_checkpoint_that_is_replaced_as_it_is_opened_is_whole(train, tmp_path):
    """By one of another size."""
    run = tmp_path / "run"
    train("-o", "run", *sets("train.iterations=9")).ok()
    train("-o", "other", *sets("train.iterations=12345", "train.time_budget=0.1")).ok()
    (tmp_path / "other" / LAST).replace(run / "new.npz")
    assert (run / "new.npz").stat().st_size != (run / LAST).stat().st_size

    def replaced(call, path, do, *arguments):
        if call == "open" and path.endswith(LAST):
            os.replace(run / "new.npz", run / LAST)
        return do(*arguments)

    with watched(run, replaced):
        assert checkpoints.load(run / LAST).iteration != 9
