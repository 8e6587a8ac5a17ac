"""Standard input that is a terminal: what to do is said, where a command would else wait in silence."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="the system has no terminals that a program could open")

TYPED = "Verse 1: the quick <brown> fox & 9 lazy dogs sing, 'row, row!'\n" * 20
END = "\x04"
SMALL = ["-q", "--set", "train.iterations=1", "--set", "train.seq_length=4", "--set", "model.hidden_size=4"]


def type_to(*words, place):
    """What a command tells on stderr, whose input is typed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "charrnn", *map(str, words)],
        cwd=place,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        os.write(ours, (TYPED + END).encode())
        told = process.stderr.read()
    os.close(ours)
    assert process.returncode == 0, told
    return told


@pytest.mark.parametrize(
    "words", ["eval RUN -", "info -", "sample RUN --prompt-file - -n 3", "sample RUN --prompts - -n 3"]
)
def test_a_terminal_is_told_how_to_end_what_is_typed(trained, tmp_path, words):
    told = type_to(*(trained if word == "RUN" else word for word in words.split()), place=tmp_path)
    assert told.startswith(
        "type the prompts, one a line" if "--prompts" in words else "type the text; to end it, Ctrl-D"
    )


def test_so_it_is_in_training_and_no_more_in_one_that_is_quiet(tmp_path):
    assert type_to("train", "-", "-o", "loud", *SMALL[1:], place=tmp_path).startswith(
        "type the text; to end it, Ctrl-D"
    )
    assert "Ctrl-D" not in type_to("train", "-", "-o", "quiet", *SMALL, place=tmp_path)
    again = ["train", "-", "-o", "loud", "--resume", "--more", "1"]
    assert type_to(*again, place=tmp_path).startswith("type the text; to end it, Ctrl-D")


def test_a_pipe_and_a_file_are_told_nothing(charrnn, trained, text):
    assert "Ctrl-D" not in charrnn("eval", trained, "-", stdin=text.read_bytes()).ok().err
    assert "Ctrl-D" not in type_to("eval", trained, text, place=text.parent)
