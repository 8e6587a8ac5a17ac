"""Signals and locks, with real processes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

ENDLESS = ["-o", "run", "--set", "train.iterations=1000000", "--set", "model.dropout=0.3"]


def until_it_trains(process):
    """Waits for the first evaluation: by then a checkpoint is saved."""
    seen = []
    for line in process.stderr:
        seen.append(line.decode())
        if line.startswith(b"iteration "):
            return
    pytest.fail("it ended before it trained: " + "".join(seen))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_and_says_how_to_go_on_and_that_continues_bit_for_bit(
    charrnn, start, train, text, tiny, tmp_path, contents, metrics, name
):
    number = getattr(signal, name)
    rarely = ["--set", "train.checkpoint_every=1000000"]
    with start("train", text, "-c", tiny, *ENDLESS, *rarely) as process:
        until_it_trains(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not out
    last = err.decode().splitlines()[-1]
    assert last.startswith(f"charrnn: error: stopped by {name} at iteration ")
    assert err.count(b"charrnn: error:") == 1
    assert b"Traceback" not in err
    stopped_at = contents(tmp_path / "run" / "last.npz")[1]["iteration"]
    assert f"{stopped_at:,}" in last

    command, *words = shlex.split(last.partition("continue with: ")[2])
    assert command == "charrnn"
    end = ["--set", f"train.iterations={stopped_at + 9}"]
    charrnn(*words, *end).ok()
    train("-o", "whole", "--set", "model.dropout=0.3", *rarely, *end).ok()
    assert (tmp_path / "run" / "last.npz").read_bytes() == (tmp_path / "whole" / "last.npz").read_bytes()
    iterations = [line["iteration"] for line in metrics(tmp_path / "run")]
    assert iterations == sorted(set(iterations))


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_was_to_be_ignored_is_ignored(start, text, tiny, contents, tmp_path, name):
    words = ["train", text, "-c", tiny, "-o", "run", "--set", "train.iterations=400"]
    with start(*words, ignoring=name) as process:
        until_it_trains(process)
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode().splitlines()[-1]
    assert contents(tmp_path / "run" / "last.npz")[1]["iteration"] == 400


def test_a_directory_in_use_is_locked_until_its_process_dies(start, train, tmp_path, text, tiny, metrics, contents):
    with start("train", text, "-c", tiny, *ENDLESS) as process:
        until_it_trains(process)
        train("-o", "run").fails(7, "run is in use by", str(process.pid))
        train("-o", "run", "--resume").fails(7, "run is in use by", str(process.pid))
        assert process.poll() is None
        process.kill()
        process.wait(timeout=60)
    stopped_at = contents(tmp_path / "run" / "last.npz")[1]["iteration"]
    words = ["--set", "model.dropout=0.3", "--set", f"train.iterations={stopped_at + 7}"]
    train("-o", "run", "--resume", *words).ok()
    train("-o", "whole", *words).ok()
    assert contents(tmp_path / "run" / "last.npz")[0] == contents(tmp_path / "whole" / "last.npz")[0]
    iterations = [line["iteration"] for line in metrics(tmp_path / "run")]
    assert iterations == sorted(set(iterations))


def test_a_run_in_use_can_be_read(charrnn, start, text, tiny):
    with start("train", text, "-c", tiny, *ENDLESS) as process:
        until_it_trains(process)
        assert json.loads(charrnn("info", "run", "--json").ok().out)["iteration"] >= 5
        assert len(charrnn("sample", "run", "-n", 30).ok().text) == 30


def test_an_interrupted_sample_is_one_line(start, trained):
    with start("sample", trained, "-n", 10**7) as process:
        process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith(b"charrnn: error: stopped by SIGINT")
    assert err.count(b"\n") == 1


def test_the_program_is_a_module_and_a_script(process, tmp_path):
    script = os.path.join(os.path.dirname(sys.executable), "charrnn")
    module = process("config", "list").ok().out
    if os.path.exists(script):
        assert subprocess.run([script, "config", "list"], capture_output=True, check=True).stdout == module
