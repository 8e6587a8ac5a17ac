"""What stands in the documents: their blocks, their sections, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HIDDEN = "\x00"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in FENCED.findall(text) if language in languages]


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next."""
    (found,) = re.findall(
        rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", FENCED.sub(_hide, text), re.DOTALL | re.MULTILINE
    )
    return found.replace(HIDDEN, "#")


def _hide(fenced: re.Match[str]) -> str:
    return fenced[0].replace("#", HIDDEN)  # a comment in a block is no heading


def equations(text: str) -> list[str]:
    """The numbered lines of a text, with what is said beside them."""
    return re.findall(r"^ *(\(\d\) .+)$", text, re.MULTILINE)


def command_lines(text: str) -> list[list[str]]:
    """The arguments of each `charrnn` in the console and shell blocks of a document."""
    found = []
    for block in blocks(text, "console", "sh"):
        joined = block.replace("\\\n", " ")
        lines = [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith(("$ ", "charrnn "))]
        for line in lines:
            words: list[str] = []
            for word in [*shlex.shlex(line, posix=True, punctuation_chars=True), ";"]:
                if set(word) <= set("|&;()<>"):
                    if words[:1] == ["charrnn"]:
                        found.append(words[1:])
                    words = []
                else:
                    words.append(word)
    return found


NUMBER = re.compile(r"-?\d[\d,.]*(e-\d+)?")


def typed(text: str) -> list[tuple[str, list[str]]]:
    """Each line that is typed in a console block, and the lines that are shown below it."""
    parts = [part for block in blocks(text, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(part.partition("\n")[0], part.splitlines()[1:]) for part in parts]


def session(text: str) -> list[tuple[list[str], list[str]]]:
    """The arguments of each command of charrnn that is typed in a console block, and the lines that are shown."""
    words = [(shlex.split(line), shown) for line, shown in typed(text)]
    return [(line[1:], shown) for line, shown in words if line[0] == "charrnn"]


def shape(line: str) -> str:
    """A line without its numbers, and without what depends on them, such as the bars that a terminal shows."""
    return " ".join(
        NUMBER.sub("#", line.rstrip("▁▂▃▄▅▆▇█ ")).removesuffix(" *").replace("processes", "process").split()
    )
