"""Advice that can be pasted: commands and options as a shell takes them, for the messages that name them.

Whatever stands in a command, such as the name of a file with a blank or a `$` in it, a shell must give on as it is.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import PurePath
from typing import Any


def command(*words: object) -> str:
    """Returns a command of charrnn, as in `charrnn sample 'runs/my book-1'`.

    Paths are given as such: one that begins with a dash is written so that it is not taken for an option.
    """
    return " ".join(["charrnn", *map(word, words)])


def setting(key: str, value: Any) -> str:
    """Returns the option that gives a key of the configuration this value, as in `--set 'data.split=[1,0,0]'`."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return f"--set {word(f'{key}={text}')}"


def option(name: str, value: Any) -> str:
    """Returns an option with its value, as in `--encoding cp1252`; where `name` is that of a key, as `setting` does."""
    return f"{name} {word(value)}" if name.startswith("-") else setting(name, value)


def word(value: object) -> str:
    """Returns one word of a command, quoted where a shell would make something else of it."""
    text = str(value)
    if isinstance(value, PurePath) and text.startswith("-"):
        text = f"./{text}"
    if not CONTROL.search(text):
        return shlex.quote(text)
    # Messages are one line: what is no character to print stands in $'...' as bash, zsh and ksh read it.
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + CONTROL.sub(lambda match: "".join(f"\\x{byte:02x}" for byte in match[0].encode()), quoted) + "'"


CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What would move a terminal's cursor or turn its text around, as the name of a file may."""
