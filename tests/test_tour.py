"""The tour of docs/tasks.md: it is typed from its first command to its last, with smaller networks and less work."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from driving import in_process
from pages import page, shape, typed

TOUR = page("tasks.md")
SMALL = ["--set", "model.hidden_size=8", "--set", "train.iterations=6", "--set", "train.eval_every=3"]
SAID = {"train", "eval"}
"""Commands whose lines are always the same but for their numbers. What others print, they have learnt."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each line of the tour prints."""
    place = tmp_path_factory.mktemp("tour")
    found = []
    for line, _ in typed(TOUR):
        words = shlex.split(line)
        if words[0] == "charrnn":
            result = in_process(*words[1:], *(SMALL if words[1] == "train" else []), cwd=place).ok()
            found.append(result.text + (result.err if words[1] in SAID else ""))
        else:
            assert words[0] == "printf"
            subprocess.run(line, shell=True, check=True, cwd=place)
            found.append("")
    return found


def test_every_task_is_trained_and_used(printed):
    lines = [line for line, _ in typed(TOUR)]
    recipes = set(re.findall(r" -c (\w+)", "\n".join(lines)))
    assert recipes == {"classify", "generate", "tag", "transduce"}
    assert {shlex.split(line)[1] for line in lines if line.startswith("charrnn")} >= {"predict", "sample", "eval"}


def test_the_tour_prints_such_lines_as_the_page_shows(printed):
    compared = 0
    for (line, shown), output in zip(typed(TOUR), printed, strict=True):
        words = shlex.split(line)
        if words[0] != "charrnn":
            assert shown == []
        elif words[1] in SAID:
            possible = {shape(said) for said in output.splitlines()}
            wanted = [shape(said) for said in shown]
            assert [said for said in wanted if said not in possible] == [], line
            compared += len(wanted)
        elif words[1] == "predict":
            assert len(output.splitlines()) == len(shown)
            assert [said.count("\t") for said in output.splitlines()] == [said.count("\t") for said in shown]
        elif words[1] == "sample":
            assert len(output.splitlines()) == len(shown)
    assert compared > 30
