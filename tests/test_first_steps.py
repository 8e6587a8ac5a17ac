"""The session of docs/first-steps.md: it is typed from its first command to its last, with smaller runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from driving import in_process
from pages import DOCS, ROOT, blocks, page, session, shape

FIRST_STEPS = page("first-steps.md")
README = ROOT / "README.md"
SMALL = ["model.hidden_size=6", "train.eval_every=2", "train.eval_chars=300", "train.iterations=4"]


def smaller(arguments: list[str]) -> list[str]:
    """A command that does the same in less time."""
    if arguments[0] != "train":
        return arguments
    settings = ["train.iterations=8"] if "--resume" in arguments else SMALL
    return [*arguments, *(f"--set={setting}" for setting in settings)]


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> list[str]:
    """What each command of the session prints."""
    place = tmp_path_factory.mktemp("first-steps")
    ended = [in_process(*smaller(arguments), cwd=place).ok() for arguments, _ in session(FIRST_STEPS)]
    return [result.text + result.err for result in ended]


def test_the_session_prints_such_lines_as_the_document_shows(printed):
    shown_lines = 0
    for (arguments, shown), output in zip(session(FIRST_STEPS), printed, strict=True):
        possible = {shape(line) for line in output.splitlines()}
        if arguments[0] == "sample":
            assert output.startswith(shown[0])
            continue
        if arguments[0] == "plan":
            assert [line.partition(":")[0] for line in output.splitlines()] == [x.partition(":")[0] for x in shown]
            continue
        lines = [shape(line) for line in shown if "stopped by SIGINT" not in line]  # for that see test_cli_signals.py
        assert [line for line in lines if line not in possible] == [], arguments
        shown_lines += len(lines)
    assert shown_lines > 40


def test_every_document_says_of_the_text_what_is_printed(printed):
    (line,) = {line for line in printed[2].splitlines() if line.startswith("harbour: 118,140 characters")}
    shown = re.findall(r"harbour: 118,140 characters.*", "\n".join(map(Path.read_text, [README, *DOCS.glob("*.md")])))
    assert len(shown) >= 5
    assert {shape(each) for each in shown} == {shape(line)}


def test_the_session_says_of_the_text_what_is_shown(printed):
    (shown, output) = next(
        (s, p) for (words, s), p in zip(session(FIRST_STEPS), printed, strict=True) if words[0] == "info"
    )
    assert output.splitlines() == shown


def test_what_counts_alone_reach_is_what_is_shown(capsys):
    (counting, shown) = blocks(FIRST_STEPS, "python")[0], blocks(FIRST_STEPS, "text")[0]
    exec(counting, {})
    assert capsys.readouterr().out == shown


def test_the_curve_is_that_of_the_run_that_is_shown():
    (_, lines) = next(part for part in session(FIRST_STEPS) if part[0][0] == "train")
    losses = re.findall(r"iteration +([\d,]+) .*train (\d\.\d+)  validation (\d\.\d+)", "\n".join(lines))
    drawn = [line.split()[:3] for line in blocks(FIRST_STEPS, "text")[1].splitlines()]
    assert len(drawn) == len(losses) == 11
    for (iteration, *curve), (said, *exact) in zip(drawn, losses, strict=True):
        assert iteration == said.replace(",", "")
        assert [float(loss) for loss in curve] == pytest.approx([float(loss) for loss in exact], abs=0.0051)


@pytest.mark.long
def test_the_whole_session_comes_to_the_losses_that_are_shown(tmp_path: Path):
    reached = []
    for arguments, _ in session(FIRST_STEPS):
        if arguments[0] == "train" and "runs/stopped" not in arguments:
            output = in_process(*arguments, cwd=tmp_path).ok().err
            (best,) = re.findall(r"best validation loss: (\S+) nats", output)
            reached.append(float(best))
    table = re.findall(r"^\| .+? \| (\d\.\d+)", FIRST_STEPS, re.MULTILINE)
    assert reached == pytest.approx([float(loss) for loss in table], abs=0.03)
