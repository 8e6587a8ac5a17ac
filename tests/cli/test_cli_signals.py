"""Processes as their parents start them; what else signals do is in tests/faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from driving import inheriting

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def until_it_trains(process):
    """Waits for the first evaluation: by then a checkpoint is saved."""
    seen = []
    for line in process.stderr:
        seen.append(line.decode())
        if line.startswith(b"iteration "):
            return
    pytest.fail("it ended before it trained: " + "".join(seen))


@pytest.mark.anywhere
@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_was_to_be_ignored_is_ignored(start, text, tiny, contents, tmp_path, name):
    words = ["train", text, "-c", tiny, "-o", "run", "--set", "train.iterations=400"]
    with start(*words, ignoring=name) as process:
        until_it_trains(process)
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode().splitlines()[-1]
    assert contents(tmp_path / "run" / "last.npz")[1]["iteration"] == 400


@pytest.mark.anywhere
@pytest.mark.skipif(os.name != "posix", reason="needs a terminal of POSIX")
def test_ctrl_c_ends_the_line_of_a_text_on_a_terminal(trained):
    ours, theirs = os.openpty()
    with inheriting():
        words = [sys.executable, "-m", "charrnn", "sample", trained, "-n", "100000000"]
        process = subprocess.Popen(words, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    written = os.read(ours, 100)
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(ours, 4096):
            written = written[-100:] + piece
    except OSError:  # what Linux says when the other end is closed
        pass
    _, err = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 130
    assert written.endswith(b"\n")
    assert err.splitlines()[-1].startswith(b"charrnn: error: stopped by SIGINT")


@pytest.mark.anywhere
def test_the_program_is_a_module_and_a_script(process, tmp_path):
    script = os.path.join(os.path.dirname(sys.executable), "charrnn")
    module = process("config", "list").ok().out
    if os.path.exists(script):
        assert subprocess.run([script, "config", "list"], capture_output=True, check=True).stdout == module
