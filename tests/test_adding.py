"""The examples of docs/adding.md: all of them are added to a copy of the program, and its commands are run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import ROOT, blocks, command_lines, equations, page, section

import charrnn.nn.cells.mgu

ADDING = page("adding.md")
ADDITIONS = re.findall(r"\[([^]]+)\]\(\.\./([^)]+)\)([^][]*):\n\n```py\n(.*?)^```$", ADDING, re.DOTALL | re.MULTILINE)
"""Of each block of code: the text of the link before it, where that leads, what is said after it, and the code."""

QUICK = {"train": [f"--set={quick}" for quick in ("train.iterations=4", "model.hidden_size=4", "train.threads=1")]}
COMMANDS = [(*arguments, *QUICK.get(arguments[0], [])) for arguments in command_lines(ADDING)]


def edit(file: Path, pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> None:
    text, count = re.subn(pattern, replacement, file.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert count == 1, f"{count} places for {pattern!r} in {file}"
    file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A folder with the program and all that the page adds; the cell of the example was taken away first."""
    top = tmp_path_factory.mktemp("extended")
    for folder in ("charrnn", "configs", "corpora", "tests"):
        shutil.copytree(ROOT / folder, top / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", top)
    (top / "charrnn/nn/cells/mgu.py").unlink()
    edit(top / "charrnn/nn/cells/__init__.py", r'^    "mgu": [^\n]*\n', "")
    for title, target, words, code in ADDITIONS:
        file = top / (title if (ROOT / target).is_dir() else target)
        if table := re.search(r"table\s`(\w+)`", words):
            edit(file, rf"^{table[1]}: .*?(?=^\}})", lambda rows, row=code: rows[0] + row)
        else:
            file.write_text(file.read_text("utf-8") + "\n\n" + code if file.exists() else code, "utf-8")
    return top


def run(top: Path, *arguments: str, module: str = "charrnn") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    environment = os.environ | {"PYTHONPATH": str(top), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, encoding="utf-8")


def test_every_block_of_code_has_its_place_and_every_section_adds_to_a_table():
    assert [code for *_, code in ADDITIONS] == blocks(ADDING, "py")
    rows = [words for *_, words, _ in ADDITIONS if re.search(r"table\s`\w+`", words)]
    assert len(rows) == len(re.findall(r"^## ", ADDING, re.MULTILINE))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_what_is_added_works(arguments, extended):
    ended = run(extended, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if arguments[0] == "train":
        assert "best validation" in ended.stderr


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("nn/test_laws.py", "mgu"),
        ("nn/test_initializers.py", "lecun"),
        ("optim/test_optimizers.py", "adamax"),
        ("optim/test_schedules.py", "inverse_sqrt or formula"),
    ],
)
def test_what_is_added_passes_the_tests_of_its_kind(file, names, extended):
    ended = run(extended, f"tests/{file}", "-k", names, "-p", "no:cacheprovider", module="pytest")
    assert ended.returncode == 0, ended.stdout + ended.stderr  # it is 5 where there is no such test


def test_without_the_additions_no_command_of_the_page_would_work(tmp_path):
    for arguments in COMMANDS:
        if "mgu" not in " ".join(arguments):
            assert run(ROOT, *arguments, *(["-o", str(tmp_path)] if "train" in arguments else [])).returncode == 2


def test_the_equations_of_the_added_cell_are_those_of_its_file():
    assert equations(ADDITIONS[0][-1]) == equations(charrnn.nn.cells.mgu.__doc__)


def test_the_planted_mistake_is_found_as_the_document_shows(extended, tmp_path):
    (diff,) = blocks(ADDING, "diff")
    right = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in " -")
    wrong = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in " +")
    mistaken = shutil.copytree(extended, tmp_path / "mistaken")
    edit(mistaken / "charrnn/nn/cells/mgu.py", re.escape(right), wrong)
    ended = run(mistaken, "gradcheck", "--cell", "mgu")
    (shown,) = blocks(section(ADDING, "A cell"), "text")
    assert ended.returncode == 1
    assert judgements(shown) == judgements(ended.stdout)
    assert shown.splitlines()[-1] == ended.stdout.splitlines()[-1]


def judgements(table: str) -> list[list[str]]:
    """The lines of gradcheck's table; of what agrees without the error, which is rounding and differs by machine."""
    rows = [line.split() for line in table.splitlines() if line.endswith(("ok", "FAIL"))]
    return [row if row[-1] == "FAIL" else [*row[:3], row[-1]] for row in rows]
