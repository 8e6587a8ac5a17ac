"""Help, the version, and what every command does with a wrong word or a broken stdout."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

import click
import numpy as np
import pytest
import threadpoolctl

import charrnn as package
from charrnn.cli.main import COMMANDS, cli

CONTRACT = {
    "train": "-c -o --set --resume --init-from --time-budget --seed -q --epochs --iterations --lr --hidden-size "
    "--batch-size --seq-length --layers --dropout --cell --optimizer --task",
    "sweep": "GRID.yaml --jobs -o --set --json -q",
    "sample": "-n --temperature --top-k --top-p --min-p --prompt --prompt-file --stop --samples --seed --stream "
    "--no-stream",
    "predict": "--json --top --beam --heat",
    "eval": "--json --split --heat --confusion --beam",
    "gradcheck": "--cell --all --oracle --json",
    "info": "--json",
    "corpus": "list path fetch make",
    "config": "show validate schema list",
    "plan": "-c -o --set --time-budget --json",
}


def every_command():
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        yield (name,), command
        for sub in getattr(command, "commands", {}):
            yield (name, sub), command.commands[sub]


COMMANDS_BY_PATH = dict(every_command())
PATHS = list(COMMANDS_BY_PATH)


@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(charrnn, path, option):
    result = charrnn(*path, option).ok()
    assert result.text.startswith(f"Usage: {' '.join(['charrnn', *path])} ")
    assert not result.err


@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
def test_help_shows_no_markup(charrnn, path):
    assert not re.search(r"\\b|\x08", charrnn(*path, "--help").text)


@pytest.mark.parametrize("command", list(COMMANDS_BY_PATH.values()), ids=map(" ".join, PATHS))
def test_every_option_says_what_it_does(command):
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("name", CONTRACT)
def test_help_names_everything_that_is_promised(charrnn, name):
    assert set(CONTRACT[name].split()) <= set(charrnn(name, "--help").text.replace(",", " ").replace("/", " ").split())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_has_an_example(charrnn, name):
    usage, *lines = charrnn(name, "--help").text.splitlines()
    assert usage.startswith("Usage")
    assert any(f"charrnn {name} " in line for line in lines)


@pytest.mark.anywhere
def test_help_of_the_program_lists_the_commands_in_the_order_of_use(charrnn):
    listed = charrnn("--help").text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)


def test_no_help_waits_for_numpy():
    script = f"""
import sys
from charrnn.cli.main import main
for words in {[[*path, "--help"] for path in [(), *PATHS]]}:
    try:
        main(words)
    except SystemExit as ended:
        assert ended.code == 0
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_version_names_what_computes(charrnn):
    first, second = charrnn("--version").ok().text.splitlines()
    assert first == f"charrnn, version {package.__version__}"
    assert second.startswith(f"Python {platform.python_version()}, NumPy {np.__version__}, ")
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            assert f"{library['version']}, {library['architecture']}, {library['num_threads']} thread" in second


def test_nothing_at_all_shows_the_help_and_is_a_usage_error(charrnn):
    result = charrnn()
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("Usage: charrnn ")


def test_an_unknown_command_is_named(charrnn):
    charrnn("trian").fails(2, "trian", "Did you mean 'train'?", "charrnn --help")
    charrnn("corpus", "lst").fails(2, "lst", "Did you mean 'list'?", "charrnn corpus --help")


def test_a_choice_in_capitals_is_answered_with_the_one_that_is_meant(charrnn):
    charrnn("gradcheck", "--cell", "LSTM").fails(2, "'LSTM' is not one of", "; did you mean 'lstm'? see:")


@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
def test_an_unknown_option_is_named_with_the_help_to_read(charrnn, path):
    charrnn(*path, "--colour").fails(2, "--colour", f"{' '.join(['charrnn', *path])} --help")


@pytest.mark.parametrize("name", ["sample", "eval", "info"])
def test_a_missing_argument_is_named(charrnn, name):
    charrnn(name).fails(2, "Missing argument 'CHECKPOINT|RUN_DIR", f"charrnn {name} --help")


def test_train_without_a_text_says_what_to_give(charrnn):
    charrnn("train").fails(2, "harbour")


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_one_line_and_a_traceback_only_with_debug(charrnn, monkeypatch, debug):
    def broken(*layers):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("charrnn.cli.config.resolve", broken)
    result = charrnn(*["--debug"] * debug, "config", "show")
    assert result.code == 1
    assert ("Traceback" in result.err) == debug
    assert result.err.splitlines()[-1].startswith("charrnn: error: a bug in charrnn: ZeroDivisionError: oops")


@pytest.mark.anywhere
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "words", [["sample", "-n", "20", "--seed", "1"], ["eval", "--json"], ["info"]], ids=lambda words: words[0]
)
def test_a_full_disk_behind_stdout_is_an_output_error(trained, text, words):
    name, *options = words
    arguments = [name, trained, *[text] * (name == "eval"), *options]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "charrnn", *arguments], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 6
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"charrnn: error: No space left on device")
