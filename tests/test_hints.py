"""Whatever a message tells to type works when it is pasted: every hint of the program is executed here."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from driving import FOXES, Result, in_process
from driving import shelf as shelf
from hinting import PACKAGE, Site, hints, noting, sites, strings, typed
from situations import SITUATIONS, Situation

from charrnn import advice
from charrnn.cli.main import COMMANDS

NAMES = ["my book (1)", "pay$HOME", "-dash", "two\nlines", "it's", 'a "quote"', "back\\slash"]
"""What files and directories are called; how their names end is added."""

LABELLED = [(label, f"{label}{n}") for n in range(40) for label in "ab"]


PLAN = "charrnn plan"
"""What tells on stdout what to type."""


def written(rows: object) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


FILES: dict[str, tuple[str, str | bytes]] = {
    "latin": (".txt", (FOXES + "é Ã©").encode("cp1252")),
    "accents": (".txt", (FOXES + "é").encode()),
    "verse": (".txt", FOXES[:300]),
    "rare": (".txt", "".join(chr(0x4E00 + n) for n in range(1000))),
    "mixed": (".txt", f"{FOXES}{FOXES}".replace("\n", "\r\n", 45).encode()),
    "noise": (".txt", ("Однажды, в студёную зимнюю пору, я из лесу вышел\n" * 60).encode("cp1251")),
    "zeros": (".txt", FOXES.encode("utf-16-le")),
    "text": (".txt", FOXES),
    "verses": (".txt", "".join(f"{n * n * 7919 % 100003} {n}\n" for n in range(4000))),
    "note": (".txt", "a note\n"),
    "chinese": (".txt", "".join(chr(0x4E00 + n % 70) for n in range(2000))),
    "pairs": (".tsv", written(LABELLED)),
    "lopsided": (".tsv", written(LABELLED[:2] * 2 + [("a", f"{n}{n}") for n in range(100)])),
    "table": (".tsv", written((*row, "more") for row in LABELLED)),
    "swapped": (".tsv", written((f"word {n}", f"label {n % 2}") for n in range(40))),
    "few": (".tsv", written(LABELLED[:4])),
    "unlike": (".tsv", written((f"label {n // 2}", f"word {n}") for n in range(8))),
    "words": (".txt", "".join(f"{n}\n" for n in range(30))),
    "grid": (
        ".yaml",
        "text: harbour\nbase: {train: {iterations: 3, eval_chars: 300, batch_size: 4, seq_length: 8}}\n"
        "grid: {model.hidden_size: [3, 4]}\n",
    ),
    "tiny": (
        ".yaml",
        "model: {hidden_size: 4}\ntrain: {batch_size: 4, seq_length: 8, iterations: 12, eval_every: 5, "
        "checkpoint_every: 5, seed: 1, threads: 1}\noptim: {schedule: constant, learning_rate: 2e-3}\n",
    ),
}
RUNS = {
    "lm": ("text", "task.name=language_model"),
    "western": ("latin", "data.encoding=cp1252"),
    "classify": ("pairs", "task.name=classify"),
    "dull": ("lopsided", "task.name=classify optim.learning_rate=0.2 train.eval_every=12"),
}
"""The runs to be used: what they have learnt from, and how."""


def _write(path: Path, contents: str | bytes) -> None:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())


@dataclass(frozen=True)
class Told:
    """What came of something typed."""

    place: Path
    line: str
    result: Result


class Desk:
    """Does what situations say, each once and in a folder of its own."""

    def __init__(self, shelf: Path) -> None:
        self.shelf = shelf
        self.reached: set[Site] = set()
        self._told: dict[str, Told] = {}
        self._runs: dict[str, Path] = {}

    def told(self, name: str) -> Told:
        """What came of a situation."""
        if name not in self._told:
            self._told[name] = self._do(SITUATIONS[name], [*SITUATIONS].index(name))
        return self._told[name]

    def _do(self, situation: Situation, number: int) -> Told:
        place = self.shelf / f"situation {number}"
        place.mkdir()
        kinds = [*FILES, *RUNS, "new", "plan", "folder"]
        paths = {kind: Path(f"{NAMES[(number + k) % len(NAMES)]} {kind}") for k, kind in enumerate(kinds)}
        for kind, (suffix, contents) in FILES.items():
            paths[kind] = Path(f"{paths[kind]}{suffix}")
            if f"{{{kind}}}" in " ".join([situation.typed, *situation.before]):
                _write(place / paths[kind], contents)
        for kind in RUNS:
            if f"{{{kind}}}" in situation.typed:
                shutil.copytree(self.run(kind), place / paths[kind])
        words = {kind: advice.word(path) for kind, path in paths.items()}
        for line in (before.format_map(words) for before in situation.before):
            if line.startswith("charrnn"):
                typed(line, place).ok()
            else:
                subprocess.run(["bash", "-c", line], cwd=place, check=True)
        with pytest.MonkeyPatch.context() as patch, noting(self.reached):
            patch.setattr(
                "charrnn.training.few_updates.TOO_FEW", 200 * (situation.is_short or situation.typed.startswith(PLAN))
            )
            if situation.patch:
                situation.patch(patch)
            line = situation.typed.format_map(words)
            return Told(place, line, typed(line, place))

    def run(self, kind: str) -> Path:
        """A run to be used."""
        if kind not in self._runs:
            source, settings = RUNS[kind]
            place = self.shelf / f"a run, {kind}"
            place.mkdir()
            for name in (source, "tiny"):
                _write(place / f"{name}{FILES[name][0]}", FILES[name][1])
            path = place / f"{source}{FILES[source][0]}"
            sets = [word for setting in settings.split() for word in ("--set", setting)]
            in_process("train", path, "-c", "tiny.yaml", "-o", "run", "-q", *sets, cwd=place).ok()
            self._runs[kind] = place / "run"
        return self._runs[kind]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_a_message_tells_to_type_works(desk: Desk, name: str) -> None:
    situation, told = SITUATIONS[name], desk.told(name)
    assert told.result.code == situation.code, told.result.err
    found = hints(told.result.err + told.result.text * situation.typed.startswith(PLAN))
    assert len(found) == situation.count, told.result.err
    for hint in found if situation.cures else []:
        line = f"{told.line} {hint}" if hint.startswith("-") else hint
        if situation.instead and hint.startswith("-"):
            line = told.line.replace(situation.instead, hint)
        if hint.startswith("charrnn train") and situation.typed.startswith(PLAN):
            line += " --set train.iterations=3"  # what is planned may be long
        result = typed(line, told.place, situation.stdin)
        assert result.code == situation.then, f"{line}\n{result.err}"


def test_no_hint_is_made_in_a_place_that_no_situation_reaches(desk: Desk) -> None:
    for name in SITUATIONS:
        desk.told(name)
    missed = [
        f"{path}:{lines.start} {made}"
        for path, lines, made in sites()
        if not any((path, line, made) in desk.reached for line in lines)
    ]
    assert not missed


def test_what_is_to_be_typed_is_made_by_the_advice_alone() -> None:
    hint = re.compile(rf"charrnn (?:{'|'.join(COMMANDS)})\b|--set [^ ]")
    assert not [f"{path}:{line} {said!r}" for path, line, said in strings() if hint.search(said)]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("x is wrong; see: charrnn train --help", ["charrnn train --help"]),
        ("x is no charrnn checkpoint", []),
        ("use more text, or --set a=1 --set 'b=[1, 2]'", ["--set a=1 --set 'b=[1, 2]'"]),
        ("`charrnn corpus list` names corpora", ["charrnn corpus list"]),
        ("keep two: cut -f 1,2 'a b' | charrnn eval run -", ["cut -f 1,2 'a b' | charrnn eval run -"]),
        ("leave out --split", []),
        ("give `--unknown skip`, or another text", ["--unknown skip"]),
    ],
)
def test_a_hint_is_found_in_backticks_and_at_the_end(said: str, found: list[str]) -> None:
    assert hints(said) == found


def test_this_looks_at_the_package() -> None:
    assert len(list(sites())) > 20
    assert len(list(strings())) > 1000
    assert PACKAGE.name == "charrnn"
