"""The pages of docs/how-to: each is one screen, and its commands are typed as they stand, with smaller runs."""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys

import pytest
from pages import DOCS, blocks

PAGES = sorted(path.name for path in (DOCS / "how-to").glob("*.md") if path.name != "README.md")
SMALL = "--set model.hidden_size=6 --set train.iterations=4 --set train.eval_every=2 --set train.threads=1"
SHORT = "--set train.iterations=4 --set train.eval_every=2 --set train.eval_chars=500"
ONE_SCREEN = 75

SHELL = f"""
set -e -o pipefail
charrnn() {{
    set -- "${{@/#python-stdlib/harbour}}"
    case " $* " in
        *" --resume "*) "$PYTHON" -m charrnn "$@" --set train.eval_every=1000 ;;
        *" sweep "*) "$PYTHON" -m charrnn "$@" {SHORT} ;;
        *" train "*) "$PYTHON" -m charrnn "$@" {SMALL} ;;
        *) "$PYTHON" -m charrnn "$@" ;;
    esac
}}
head() {{ command head "$@"; cat > /dev/null; }}  # what comes after it is not broken off, which pipefail would note
"""
"""What makes each run a small one, and of a text of twelve megabytes a small one. A command that fails ends it all."""


def _commands(name):
    """What is typed in the shell blocks of a page."""
    return "\n".join(blocks((DOCS / "how-to" / name).read_text("utf-8"), "sh"))


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_work(name, tmp_path):
    commands = _commands(name)
    assert "charrnn " in commands
    done = subprocess.run(
        ["bash", "-c", SHELL + commands],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "CHARRNN_CACHE": str(tmp_path / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_screen_and_is_in_the_list(name):
    assert len((DOCS / "how-to" / name).read_text("utf-8").splitlines()) <= ONE_SCREEN
    assert f"]({name})" in (DOCS / "how-to" / "README.md").read_text("utf-8")


def test_a_command_that_fails_is_noticed(tmp_path):
    for wrong in ("charrnn eval nothing here", "charrnn eval nothing here | head"):
        done = subprocess.run(
            ["bash", "-c", SHELL + wrong + "\ntrue"],
            cwd=tmp_path,
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            check=False,
        )
        assert done.returncode != 0


def test_all_pages_can_be_typed_in_one_place():
    made = re.compile(r"(?:\s-o|--save-state|mkdir(?: -p)?) (\S+)")
    found = [(thing, name) for name in PAGES for thing in {*made.findall(_commands(name))}]
    twice = [thing for thing, times in collections.Counter(thing for thing, _ in found).items() if times > 1]
    assert twice == []
    assert {"runs/long", "letters", "plan.yaml", "sea.npz"} <= {thing for thing, _ in found}
