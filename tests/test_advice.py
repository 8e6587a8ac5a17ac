"""What a message tells to type does what it says, whatever stands in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from charrnn import advice

ODD = [
    "my book (1).txt",
    "pay$HOME.txt",
    "it's.txt",
    'a "quote".txt',
    "two\nlines.txt",
    "back\\slash.txt",
    "é·.txt",
    "*",
]


@pytest.mark.parametrize("name", ODD)
def test_bash_gives_on_each_word_as_it_is(name: str) -> None:
    typed = f"printf '%s\\0' {advice.command('eval', Path('runs') / name, name)}"
    words = subprocess.run(["bash", "-c", typed], capture_output=True, check=True).stdout.decode().split("\0")
    assert words == ["charrnn", "eval", f"runs/{name}", name, ""]
    assert "\n" not in typed


def test_a_path_is_never_taken_for_an_option() -> None:
    assert advice.command("train", Path("-dash.txt"), "-o", Path("-x")) == "charrnn train ./-dash.txt -o ./-x"


@pytest.mark.parametrize(
    ("value", "written"),
    [([1, 0, 0], "--set 'k=[1,0,0]'"), (1e-3, "--set k=0.001"), ("a b", "--set 'k=a b'"), (None, "--set k=null")],
)
def test_a_setting_is_written_as_set_reads_it(value: object, written: str) -> None:
    assert advice.setting("k", value) == written
