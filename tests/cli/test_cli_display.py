"""What a terminal shows of training: a bar, the course of the loss, samples; and the plain lines that others see."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pytest

from charrnn.cli.sparkline import BARS, sparkline

pty = pytest.importorskip("pty", reason="the system has no terminals that a program could open")

SETTINGS = [
    word
    for setting in (
        "model.hidden_size=8",
        "train.batch_size=4",
        "train.seq_length=8",
        "train.iterations=60",
        "train.eval_every=10",
        "train.seed=1",
        "train.threads=1",
    )
    for word in ("--set", setting)
]


@pytest.fixture
def watch(text, tmp_path):
    """Trains with stderr on a terminal of so many columns; returns what it shows, a line each."""

    def watch(*words, columns=120, place="run", **environment):
        import fcntl
        import struct
        import termios

        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [sys.executable, "-m", "charrnn", "train", str(text), "-o", place, *SETTINGS, *words]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "TQDM_MININTERVAL": "0", **environment},  # a bar at every update
        ) as process:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as terminal:
                while piece := terminal.read(4096):
                    shown += piece
            assert process.stdout.read() == b""
        assert process.returncode == 0, shown
        return shown.decode().replace("\r\n", "\n")

    return watch


def lasting(shown):
    """The lines that stay, of what a terminal shows."""
    return [line.rpartition("\r")[2] for line in shown.split("\n")]


def evaluations(shown):
    return [line for line in lasting(shown) if line.startswith("iteration ")]


def test_an_evaluation_shows_the_course_of_the_validation_loss(watch):
    found = [re.search(f"validation [0-9.]+(?: [*])?(?:  ([{BARS}]+))?$", line) for line in evaluations(watch())]
    assert [len(match[1] or "") for match in found] == [0, 2, 3, 4, 5, 6]
    assert found[-1][1][0] == BARS[-1]  # the first loss is the highest, and others are lower
    assert BARS[0] in found[-1][1]


def test_a_resumed_run_shows_the_course_from_its_beginning(watch):
    watch()
    shown = watch("--resume", "--set", "train.iterations=70")
    assert re.search(f"  [{BARS}]{{7}}$", evaluations(shown)[0])


def test_the_bar_shows_both_losses_time_and_speed(watch):
    bar = watch().split("\r")
    assert any(re.search(r"%.*<\d\d:\d\d.*loss \d\.\d{4}, validation \d\.\d{4}, [\d,]+ chars/s", one) for one in bar)


@pytest.mark.parametrize("columns", [20, 40, 70, 80, 100])
def test_the_bar_fits_a_terminal_of_any_width(watch, columns):
    shown = watch(columns=columns)
    bars = [one.split("\n")[0] for one in shown.split("\r") if "%" in one]
    assert max(map(len, bars)) <= columns
    assert any("loss" in one for one in bars) or columns < 40


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_small_bars_are_not_broken_by_the_edge_of_the_terminal(watch, columns):
    found = [re.search(f"[{BARS}]+$", line) for line in evaluations(watch(columns=columns))]
    places = [(match.start() // columns, (match.end() - 1) // columns) for match in found if match]
    assert len(places) >= 1
    assert all(first == last for first, last in places)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"TERM": "dumb"}], ids=["ascii", "dumb"])
def test_a_terminal_that_has_no_bars_shows_none(watch, environment):
    shown = watch(**environment)
    assert len(evaluations(shown)) == 6
    assert shown.isascii()


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colours allowed", "NO_COLOR"])
def test_there_are_no_colours_to_be_switched_off(watch, environment):
    assert not re.search(r"\x1b\[[0-9;]*m", watch("--set", "train.sample_every=30", **environment))


def test_samples_stand_among_the_lines_and_cannot_move_the_cursor(watch, tmp_path):
    shown = watch("--set", "train.sample_every=30")
    samples = [line for line in lasting(shown) if line.startswith("  | ")]
    assert len(samples) >= 2
    assert all(line.isprintable() for line in samples)


def test_elsewhere_there_are_plain_lines(charrnn, text):
    result = charrnn("train", text, "-o", "run", *SETTINGS, "--set", "train.sample_every=30").ok()
    assert "\r" not in result.err
    assert not set(result.err) & set(BARS)
    assert len([line for line in result.err.splitlines() if line.startswith("iteration ")]) == 6
    assert any(line.startswith("  | ") for line in result.err.splitlines())


def test_quiet_shows_no_sample(charrnn, text):
    assert charrnn("train", text, "-o", "run", "-q", *SETTINGS, "--set", "train.sample_every=30").ok().err == ""


@pytest.mark.parametrize(
    ("values", "encoding", "expected"),
    [
        ([3, 2, 1], "utf-8", "█▅▁"),
        ([0, 7, 3.5], "utf-8", "▁█▅"),
        ([2, 2], "utf-8", "▁▁"),
        ([1], "utf-8", ""),
        ([], "utf-8", ""),
        ([1, 2], "ascii", ""),
        ([1, 2], "cp1252", ""),
        ([1, 2], None, ""),
        ([1, 2], "no such", ""),
        ([float("nan"), 1, 2, float("inf")], "utf-8", "▁█"),
        ([9, *range(16)], "utf-8", "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"),
    ],
)
def test_a_sparkline_is_between_the_lowest_and_the_highest_of_the_last(values, encoding, expected):
    assert sparkline(values, encoding) == expected
