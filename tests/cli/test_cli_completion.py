"""`charrnn completion`: what bash, zsh and fish offer when a key is pressed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from charrnn.cli.completion import SHELLS
from charrnn.cli.main import COMMANDS

BASH = """
eval "$(charrnn completion bash)"
compopt() { echo "option $2"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_charrnn_completion charrnn
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { :; }
_describe() {
    local -a them
    [[ $3 == keys ]] && them=($keys) || them=($described)
    print -l -- "${them[@]%%:*}"
}
compadd() { print -l -- "${(@P)${@[-1]}}"; }
_files() { print -l -- ${words[CURRENT]}*(N); }
eval "$(charrnn completion zsh)"
words=("$@"); CURRENT=$#
_charrnn_completion
"""
FISH = """
charrnn completion fish | source
complete -C "$argv" | string replace -r '\\t.*' ''
"""
SCRIPTS = {"bash": ["bash", "-c", BASH], "zsh": ["zsh", "-f", "-c", ZSH], "fish": ["fish", "--no-config", "-c", FISH]}


@pytest.fixture
def folder(tmp_path):
    """A folder with two runs and a text, and beside it a `charrnn` that a shell finds."""
    for run in ("runs/tales-1", "runs/other tales-2", "runs/turned-off"):
        (tmp_path / "here" / run).mkdir(parents=True)
    for kept in ("tales-1/best.npz", "other tales-2/last.npz"):
        (tmp_path / "here" / "runs" / kept).touch()
    (tmp_path / "here" / "mytext.txt").touch()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "charrnn"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m charrnn "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.fixture(params=SHELLS)
def completed(request, folder):
    """What a shell offers for the last of these words."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")

    def complete(*words):
        typed = ["charrnn", *words]
        if shell == "bash":  # cuts words at '='
            typed = [part for word in typed for part in word.replace("=", "\0=\0").split("\0") if part or not word]
        arguments = ["charrnn " + " ".join(words)] if shell == "fish" else ["-", *typed]
        done = subprocess.run(
            [*SCRIPTS[shell], *arguments],
            cwd=folder / "here",
            env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        lines = [line for line in done.stdout.splitlines() if line and not line.startswith("option ")]
        complete.options = {line for line in done.stdout.splitlines() if line.startswith("option ")}
        before = words[-1].rpartition("=")[0] + "=" if "=" in words[-1] and shell == "bash" else ""
        return {before + line for line in lines}

    complete.shell = shell
    return complete


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tr"], {"train"}),
        (["eval", "x", "y", "--spl"], {"--split"}),
        (["eval", "x", "y", "--split", "t"], {"train", "test"}),
        (["train", "--set", "model.hid"], {"model.hidden_size="}),
        (["train", "--set", "model.cell=mg"], {"model.cell=mgu"}),
        (["train", "--set", "model.layer_norm="], {"model.layer_norm=true", "model.layer_norm=false"}),
        (["train", "x", "-c", "textb"], {"textbook-lstm"}),
        (["gradcheck", "--cell", "mg"], {"mgu"}),
        (["corpus", "fe"], {"fetch"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_begun_is_completed(completed, words, offered):
    assert completed(*words) == offered


def test_all_commands_are_offered(completed):
    assert completed("") >= set(COMMANDS)


def test_runs_are_offered_where_a_run_is_asked_for(completed):
    runs = {name.rstrip("/") for name in completed("sample", "runs/t")}
    assert runs == {"runs/tales-1"}


def test_runs_and_files_are_offered_where_both_may_stand(completed):
    assert {name.rstrip("/") for name in completed("compress", "runs/t")} >= {"runs/tales-1"}
    assert "mytext.txt" in completed("compress", "x", "my")


def test_texts_are_corpora_and_files(completed):
    assert completed("train", "harb") >= {"harbour"}
    assert "mytext.txt" in completed("train", "my")


def test_bash_writes_no_blank_behind_the_sign_that_a_value_follows(completed):
    if completed.shell == "bash":
        completed("train", "--set", "model.hid")
        assert completed.options == {"option nospace"}
        completed("train", "--set", "model.cell=mg")
        assert completed.options == set()


def test_the_shell_of_the_user_is_meant_where_none_is_named(charrnn, monkeypatch):
    for shell in SHELLS:
        monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
        assert charrnn("completion").ok().out == charrnn("completion", shell).ok().out
    monkeypatch.setenv("SHELL", "/bin/ksh")
    charrnn("completion").fails(2, "'ksh'", "bash, zsh, fish", "charrnn completion bash")
    monkeypatch.delenv("SHELL")
    charrnn("completion").fails(2, "no shell is named")


def test_completing_does_not_wait_for_numpy(folder):
    for typed in ("charrnn train --set model.", "charrnn sample runs/", "charrnn ", "charrnn plan --"):
        words = typed.split(" ")
        script = "import sys\nfrom charrnn.cli.main import main\ntry:\n    main([])\nexcept SystemExit: pass\n"
        script += "assert 'numpy' not in sys.modules"
        asked = {"_CHARRNN_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=folder / "here", env={**os.environ, **asked}, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
