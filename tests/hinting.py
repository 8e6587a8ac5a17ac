"""What a message tells a user to type: where it stands in the message, and how it is typed.

A shell reads the line. Its words, and what is piped into `charrnn`, come to this process, which runs the command: so a
hint is executed as it is pasted, and waits for no other Python to begin.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driving import Result, in_process

import charrnn
from charrnn import advice
from charrnn.cli.main import COMMANDS

PACKAGE = Path(charrnn.__file__).parent
HINTS = ("command", "setting", "option")
"""The functions of `charrnn.advice` that make what is to be typed."""

_CHARRNN = rf"charrnn (?:-|(?:{'|'.join(COMMANDS)})\b)"
_WORD = r"""(?:'[^']*'|"[^"]*"|\\.|[^\s'"`;,])+"""
_OPTIONS = rf"(?:--[a-z][a-z-]*|-o)(?: {_WORD})+"
_TOOLS = r"(?:(?:cat|cut|echo|head|iconv|printf|sed|tail|tr) .*\| )?"
_QUOTED = re.compile(r"`([^`]+)`")
_LAST = [re.compile(rf"(?:^|(?<= ))({what})$") for what in (rf"{_TOOLS}{_CHARRNN}.*", _OPTIONS)]


def hints(said: str) -> list[str]:
    """Every command and every option with its value that the lines of a message tell to type.

    They stand in backticks, or last in their line.
    """
    found = []
    for line in said.splitlines():
        quoted = [one for one in _QUOTED.findall(line) if re.match(rf"{_TOOLS}{_CHARRNN}|{_OPTIONS}$", one)]
        rest = _QUOTED.sub("", line)
        last = [match[1] for match in (pattern.search(rest) for pattern in _LAST) if match][:1]
        found += [*quoted, *last]
    return found


SHIM = """#!/bin/sh
printf '%s\\0' "$@" > "$TYPED/words"
cat > "$TYPED/input"
"""


def typed(line: str, place: Path, stdin: bytes = b"") -> Result:
    """Runs what a user types in the folder `place`: a line for bash with one command of charrnn in it."""
    desk = place.parent / f"{place.name}.desk"
    desk.mkdir(exist_ok=True)
    (desk / "charrnn").write_text(SHIM)
    (desk / "charrnn").chmod(0o755)
    for name in ("words", "input"):
        (desk / name).unlink(missing_ok=True)
    env = {**os.environ, "PATH": f"{desk}{os.pathsep}{os.environ['PATH']}", "TYPED": str(desk)}
    subprocess.run(["bash", "-c", line], cwd=place, env=env, input=stdin, check=True, capture_output=True, timeout=60)
    words = (desk / "words").read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
    return in_process(*words, cwd=place, stdin=(desk / "input").read_bytes())


Site = tuple[str, int, str]
"""Where a hint is made: the file in the package, the line, and the function of `charrnn.advice` that makes it."""


def sites() -> Iterator[tuple[str, range, str]]:
    """Every call in the package that makes what is to be typed, with the lines that it stands in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("advice"), attr=name)) if name in HINTS:
                    assert node.end_lineno is not None
                    yield str(path.relative_to(PACKAGE)), range(node.lineno, node.end_lineno + 1), name


@contextmanager
def noting(reached: set[Site]) -> Iterator[None]:
    """Notes in `reached` from where in the package hints are made within the block."""

    def noted(name: str, make: Callable[..., str]) -> Callable[..., str]:
        def made(*arguments: Any) -> str:
            frame = sys._getframe(1)
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(PACKAGE):
                reached.add((str(path.relative_to(PACKAGE)), frame.f_lineno, name))
            return make(*arguments)

        return made

    with pytest.MonkeyPatch.context() as patch:
        for name in HINTS:
            patch.setattr(advice, name, noted(name, getattr(advice, name)))
        yield


def strings() -> Iterator[tuple[str, int, str]]:
    """Every string in the package but docstrings, help and the advice itself: its file, its line, and the string."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path == PACKAGE / "advice.py":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        helps = {id(part) for node in ast.walk(tree) for part in _said_in_help(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in helps:
                yield str(path.relative_to(PACKAGE)), node.lineno, node.value


def _said_in_help(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Expr(value=ast.Constant()):
            yield node.value
        case ast.keyword(arg="help" | "short_help" | "epilog"):
            yield from ast.walk(node.value)
        case ast.Call(func=ast.Name("key")):  # the help of a key of the configuration
            yield from (part for argument in node.args for part in ast.walk(argument))
