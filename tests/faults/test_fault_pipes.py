"""Output that nobody reads, streams that are closed, terminals that are gone: no traceback, and no run dies of it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pytest

from charrnn.runs import checkpoint

termios = pytest.importorskip("termios")  # which Windows has not
pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and terminals are others there")

PROGRAM = [sys.executable, "-m", "charrnn"]
RUN = ["-o", "run", "--set", "train.iterations=400", "--set", "train.checkpoint_every=100"]
"""Of a second or two, so that something may happen to it."""


def ended(tmp_path, iterations=400):
    """Whether the run has come to its end."""
    return checkpoint.load(tmp_path / "run" / "last.npz").iteration == iterations


# --- 36: readers that have enough ---


@pytest.mark.parametrize(
    "words",
    [["sample", "-n", "1000000", "--seed", "1"], ["sample", "-n", "1000000", "--seed", "1", "--no-stream"]],
    ids=" ".join,
)
def test_row_36_a_reader_that_has_enough_ends_the_writing_quietly(start, trained, words):
    name, *options = words
    with start(name, trained, *options) as process:
        head = process.stdout.read(10)
        process.stdout.close()
        code = process.wait(timeout=60)
        err = process.stderr.read()
    assert len(head) == 10
    assert err == b""
    assert code == 0


def test_row_36_head_takes_the_first_line_of_an_endless_sample(trained, tmp_path):
    script = '{ "$@"; echo $? >code; } 2>err | head -n 1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM, "sample", trained, "-n", "1000000000", "--seed", "1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.stdout.count(b"\n") == 1
    assert (tmp_path / "code").read_text() == "0\n"
    assert (tmp_path / "err").read_bytes() == b""


COMMANDS = ["sample", "info", "eval", "gradcheck", "config show", "config list", "corpus list", "--help", "--version"]


@pytest.fixture
def words(request, trained, text):
    """A command that writes to stdout."""
    more = {
        "sample": [trained, "-n", "20", "--seed", "1"],
        "info": [trained],
        "eval": [trained, text],
        "gradcheck": [trained],
    }
    return [*PROGRAM, *request.param.split(), *map(str, more.get(request.param, []))]


@pytest.mark.parametrize("words", COMMANDS, indirect=True)
def test_row_36_a_reader_that_was_never_there_is_no_error(words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# --- 36: streams that are closed ---


@pytest.mark.parametrize("words", ["sample", "info", "config show"], indirect=True)
@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_row_36_a_stream_that_is_closed_from_the_start_is_no_bug(words, closed):
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *words], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0 or (done.returncode == 6 and ">&-" in closed.split())
    assert all(line.startswith(b"charrnn: error: ") for line in done.stderr.splitlines())
    assert done.stderr.count(b"\n") <= 1


@pytest.mark.parametrize("words", [["sample", "--prompt-file", "-"], ["train", "-"], ["info", "-"]], ids=" ".join)
def test_row_36_what_is_to_come_from_a_closed_stdin_is_one_line(words, trained, tmp_path):
    arguments = [words[0], *[str(trained)] * (words[0] == "sample"), *words[1:]]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert done.returncode == 6
    assert done.stderr.startswith(b"charrnn: error: a standard stream is closed; open it")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.anywhere
@pytest.mark.parametrize("err", ["2>&-", "2>/dev/full"])
def test_row_36_the_exit_code_tells_where_an_error_cannot_be_written(tmp_path, err):
    for words, code in (["trian"], 2), (["info", "nowhere.txt"], 3), (["sample", "nowhere.npz"], 4):
        done = subprocess.run(["sh", "-c", f'exec "$@" {err}', "sh", *PROGRAM, *words], check=False, timeout=60)
        assert done.returncode == code


STREAMS = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full", "</dev/null >/dev/null 2>/dev/null"]


@pytest.mark.anywhere
@pytest.mark.parametrize("streams", STREAMS)
def test_row_36_a_run_comes_to_its_end_whatever_its_streams_are(text, tiny, tmp_path, streams):
    command = [*PROGRAM, "train", text, "-c", tiny, "-o", "run"]
    done = subprocess.run(["sh", "-c", f'exec "$@" {streams}', "sh", *command], cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0
    assert ended(tmp_path, 12)


@pytest.mark.anywhere
def test_row_36_without_streams_several_processes_share_a_run_as_with_them(text, tmp_path):
    """Files and pipes then have the numbers 0, 1 and 2, which a child may take for its streams."""
    settings = ["model.hidden_size=128", "train.batch_size=32", "train.seq_length=64", "train.iterations=2"]
    settings += ["train.seed=1", "train.threads=2", "data.split=[1,0,0]"]
    runs = {}
    for streams in ("", "<&- >&- 2>&-"):
        command = [*PROGRAM, "train", text, "-o", f"run{streams}", *(w for s in settings for w in ("--set", s))]
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {streams}', "sh", *command], cwd=tmp_path, stderr=subprocess.PIPE, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        assert streams or b"2 processes" in done.stderr
        runs[streams] = (tmp_path / f"run{streams}" / "last.npz").read_bytes()
    assert len(set(runs.values())) == 1


# --- 36: streams that die ---


def test_row_36_a_run_goes_on_when_its_listener_dies(start, text, tiny, tmp_path):
    with start("train", text, "-c", tiny, *RUN) as process:
        for line in process.stderr:
            if line.startswith(b"iteration "):
                break
        process.stderr.close()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
    assert ended(tmp_path)


@pytest.mark.anywhere
def test_row_36_a_run_goes_on_when_its_terminal_is_gone(text, tiny, tmp_path):
    user, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [*PROGRAM, "train", str(text), "-c", str(tiny), *RUN]
    try:
        process = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal)
    finally:
        os.close(terminal)
    try:
        seen = b""
        while b"iteration " not in seen:
            seen += os.read(user, 1000)
        os.close(user)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    assert ended(tmp_path)


@pytest.mark.parametrize("words", [["-q"], []], ids=str)
def test_row_36_a_run_without_a_terminal_writes_lines_and_draws_nothing(text, tiny, tmp_path, words):
    command = [*PROGRAM, "train", text, "-c", tiny, "-o", "run", *words]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,  # which has no terminal to be found
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert not set(done.stderr) & set(b"\r\x1b\x08")
    assert len(re.findall(b"^iteration ", done.stderr, re.MULTILINE)) == (0 if words else 3)
    assert ended(tmp_path, 12)


@pytest.mark.anywhere
def test_row_36_a_terminal_sees_a_bar(text, tiny, tmp_path):
    """So that the test before this one means something."""
    user, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [*PROGRAM, "train", str(text), "-c", str(tiny), *RUN]
    env = {**os.environ, "TERM": "xterm"}  # a dumb one cannot go back in a line
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # which Linux raises where others end
        while more := os.read(user, 10_000):
            seen += more
    os.close(user)
    assert process.wait(timeout=60) == 0
    assert b"\r" in seen.replace(b"\r\n", b"")
    assert b"% |" in seen
