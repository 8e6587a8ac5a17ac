"""Situations in which charrnn tells a user what to type: what was typed before, and what came of it.

In a line that is typed, `{text}`, `{pairs}` and the like stand for names of files and directories, quoted for a shell;
the names are odd, and other ones in other situations.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import pytest

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Situation:
    """Something typed, the exit code it has, and the code that what its message tells to type has."""

    typed: str
    code: int = 2
    count: int = 1
    """How many things the message tells to type."""
    then: int = 0
    """The exit code of what the message tells to type."""
    before: tuple[str, ...] = ()
    """Lines that are typed before, and succeed."""
    stdin: bytes = b""
    """What is typed into the hint that reads it."""
    patch: Patch | None = None
    """What goes wrong in this process while the first line runs."""
    instead: str = ""
    """What of it the hint takes the place of."""
    is_short: bool = False
    """Whether runs may be told that they are short, as all of these are."""
    cures: bool = True
    """Whether what the message tells to type is done together with what was typed, where it is options alone."""


def interrupt(patch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed when training, or a sweep, has shown something."""
    pressed: list[object] = []

    def press(*shown: object) -> None:
        if not pressed:
            pressed.append(shown)
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr("charrnn.cli.display.Display.show", press)
    patch.setattr("charrnn.cli.sweep_display.SweepDisplay.show", press)


def _bereft(patch: pytest.MonkeyPatch) -> None:
    """A process that computes a part of a batch is killed."""
    from charrnn.training import team

    def lost(*arguments: object) -> None:
        raise team.LostWorkerError(team.LOST)

    patch.setattr("charrnn.training.loop.updates", lost)


def _bereft_later(patch: pytest.MonkeyPatch) -> None:
    """A process that computes a part of a batch is killed after some updates."""
    from charrnn.training import loop, team

    whole = loop.updates

    def lost(*arguments: object):
        for number, update in enumerate(whole(*arguments)):
            if number == 7:
                raise team.LostWorkerError(team.LOST)
            yield update

    patch.setattr("charrnn.training.loop.updates", lost)


def _launched(patch: pytest.MonkeyPatch) -> None:
    """A launcher has started this as the first of two ranks."""
    world = types.SimpleNamespace(rank=0, size=2, leave=lambda code: None)
    patch.setattr("charrnn.cli.launching.connect", lambda arguments: world)


def _without_detector(patch: pytest.MonkeyPatch) -> None:
    """There is nothing that guesses the encodings of other alphabets."""
    patch.setitem(sys.modules, "charset_normalizer", None)


def _other_shell(patch: pytest.MonkeyPatch) -> None:
    """The shell is one that is not known."""
    patch.setenv("SHELL", "/bin/zzzzz")


def _few_symbols(patch: pytest.MonkeyPatch) -> None:
    """A model may have few symbols."""
    patch.setattr("charrnn.text.vocabulary.MOST_SYMBOLS", 20)


def _few_in_all(patch: pytest.MonkeyPatch) -> None:
    """A model may have as many symbols as the old one has."""
    patch.setattr("charrnn.tasks.inheriting.MOST_SYMBOLS", 42)


def _small_prompts(patch: pytest.MonkeyPatch) -> None:
    """A prompt may not be long."""
    patch.setattr("charrnn.cli.prompts.MAX_PROMPT", 50)


def _no_shell(patch: pytest.MonkeyPatch) -> None:
    """No variable says which shell a user has."""
    patch.delenv("SHELL", raising=False)


class _Guesses(list[types.SimpleNamespace]):
    """What the detector finds."""

    def best(self) -> types.SimpleNamespace:
        return self[0]


def _with_detector(patch: pytest.MonkeyPatch) -> None:
    """Something is installed that knows the letters of many languages."""
    found = _Guesses([types.SimpleNamespace(encoding="cp1251")])
    detector = types.SimpleNamespace(from_bytes=lambda sample, **of: found)
    patch.setitem(sys.modules, "charset_normalizer", detector)


SITUATIONS = {
    # training has ended, or was ended
    "trained": Situation("charrnn train {text} -c {tiny} -o {new}", 0),
    "too patient": Situation("charrnn train {text} -c {tiny} --patience 9", 0, count=2),
    "far too patient": Situation("charrnn train {text} -c {tiny} --patience 12", 0, count=2),
    "patient with two updates": Situation("charrnn train {text} -c {tiny} --patience 9 --iterations 2", 0, count=2),
    "trained too little": Situation("charrnn train {text} -c {tiny} --iterations 5", 0, count=2, is_short=True),
    "trained in a numbered run": Situation("charrnn train {text} -c {tiny}", 0),
    "trained to generate": Situation("charrnn train {pairs} -c {tiny} --set task.name=generate -o {new}", 0),
    "trained to classify": Situation("charrnn train {pairs} -c {tiny} --set task.name=classify -o {new}", 0),
    "interrupted": Situation("charrnn train {text} -c {tiny} -o {new}", 130, patch=interrupt),
    "a run is there": Situation(
        "charrnn train {text} -c {tiny} -o {new}",
        before=("charrnn train {text} -c {tiny} -o {new} --set train.iterations=5",),
        then=2,  # it is complete
    ),
    "a file is there": Situation("charrnn train {text} -c {tiny} -o {note}", 6),
    "a person's own files are there": Situation(
        "charrnn train {text} -c {tiny} -o {new}", before=("mkdir {new} && cp {tiny} {new}/config.yaml",)
    ),
    "other runs are there": Situation(
        "charrnn train {text} -c {tiny} -o runs", before=("charrnn train {text} -c {tiny}",)
    ),
    "resuming a folder of runs": Situation(
        "charrnn train -o runs --resume", before=("charrnn train {text} -c {tiny}",), then=2
    ),
    "resuming a checkpoint": Situation(
        "charrnn train -o {new}/last.npz --resume", before=("charrnn train {text} -c {tiny} -o {new}",), then=2
    ),
    "resuming what is named as a text": Situation(
        "charrnn train {new} --resume", before=("charrnn train {text} -c {tiny} -o {new}",), then=2
    ),
    "resuming the run of a text": Situation(
        "charrnn train {text} --resume", before=("charrnn train {text} -c {tiny}",), then=2
    ),
    "learning from a run": Situation(
        "charrnn train {new}", before=("charrnn train {text} -c {tiny} -o {new}",), then=2
    ),
    "complete": Situation("charrnn train -o {new} --resume", before=("charrnn train {text} -c {tiny} -o {new}",)),
    "complete by the clock": Situation(
        "charrnn train -o {new} --resume",
        before=("charrnn train {text} -c {tiny} -o {new} --time-budget 0.2 --set train.iterations=null",),
    ),
    "a worker is lost": Situation("charrnn train {text} -c {tiny} -o {new}", 6, patch=_bereft),
    "a worker is lost later": Situation("charrnn train {text} -c {tiny} -o {new}", 6, patch=_bereft_later),
    "a worker of a layout that is set is lost": Situation(
        "charrnn train {text} -c {tiny} -o {new} --set train.layout=2x1", 6, patch=_bereft_later
    ),
    "the text of a run is gone": Situation(
        "charrnn train -o {new} --resume", 3, then=3, before=("charrnn train {text} -c {tiny} -o {new}", "rm -- {text}")
    ),
    "the text not to be copied is gone": Situation(
        "charrnn sample {new} --max-copy 5",
        3,
        cures=False,
        before=("charrnn train {text} -c {tiny} -o {new}", "rm -- {text}"),
    ),
    "a slip in the name of a run": Situation(
        "charrnn train -o {new}2 --resume", then=2, before=("charrnn train {text} -c {tiny} -o {new}1",)
    ),
    "no run is there": Situation("charrnn train -o {new} --resume", then=3),
    "no run was saved": Situation(
        "charrnn train -o {new} --resume", 4, then=3, before=("mkdir {new}; touch {new}/.lock {new}/diverged.json",)
    ),
    "complete, and asked for another rate": Situation(
        "charrnn train -o {new} --resume --lr 0.001 --set train.threads=1 --iterations 12",
        before=("charrnn train {text} -c {tiny} -o {new}",),
    ),
    "units that cannot be shared": Situation(
        "charrnn train {text} -c {tiny} -o {new} --cell gru_reset_before --set train.layout=1x2",
        instead="--set train.layout=1x2",
    ),
    "what ranks cannot share": Situation(
        "charrnn train {text} -c {tiny} -o {new} --set train.gradient=rtrl",
        patch=_launched,
        instead="--set train.gradient=rtrl",
    ),
    # the text does not suit
    "short": Situation("charrnn train {text} -c {tiny} -o {new} --set train.batch_size=500", 3),
    "shorter": Situation("charrnn train {text} -c {tiny} -o {new} --set train.seq_length=50000", 3),
    "short in columns": Situation(
        "charrnn train {text} -c {tiny} -o {new} --set train.batch_size=500 --set data.split_by=columns", 3
    ),
    "a handful": Situation("charrnn train {note} -c {tiny} -o {new}", 3),
    "two handfuls": Situation(
        "charrnn train {note} -c {tiny} -o {new} --set train.batch_size=1 --set train.seq_length=4", 3
    ),
    "a handful in columns": Situation("charrnn train {note} -c {tiny} -o {new} --set data.split_by=columns", 3),
    "many symbols": Situation("charrnn train {chinese} -c {tiny} -o {new}", 3, patch=_few_symbols),
    "pairs for a text": Situation("charrnn train {pairs} -c {tiny}", 0, count=2),
    "few pairs for a text": Situation("charrnn train {few} -c {tiny} --set data.split=[0.4,0.3,0.3]", 3),
    # pairs that do not suit
    "three columns": Situation("charrnn train {table} -c {tiny} --set task.name=classify -o {new}", 3),
    "swapped columns": Situation("charrnn train {swapped} -c {tiny} --set task.name=classify -o {new}", 3),
    "swapped columns, many": Situation(
        "charrnn train {swapped} -c {tiny} --set task.name=classify --set data.split=[1,0,0] -o {new}", 3
    ),
    "few pairs": Situation("charrnn train {few} -c {tiny} --set task.name=classify -o {new}", 3),
    "nothing to validate on": Situation(
        "charrnn train {unlike} -c {tiny} --set task.name=classify --set data.split=[0.5,0.5,0] -o {new}", 3
    ),
    # a plan, of which the last line is the command that trains it
    "planned": Situation("charrnn plan {verses} -c {tiny} --set train.iterations=600 --seed 5", 0),
    "planned in a file": Situation("charrnn plan {verses} -c {tiny} --iterations 600 -o {plan}.yaml", 0),
    "few updates": Situation("charrnn plan {verses} -c {tiny}", 0, count=2),
    "few updates of several batches": Situation(
        "charrnn plan {verses} -c {tiny} --set train.iterations=null --set train.epochs=1 --set train.accumulate=100",
        0,
        count=2,
    ),
    "few updates by epochs": Situation(
        "charrnn plan {verses} -c {tiny} --iterations null --epochs 1 --batch-size 200", 0, count=2
    ),
    "too short a time": Situation("charrnn plan {verses} -c {tiny} --iterations null --time-budget 0.0001", 0, count=2),
    "too long a time": Situation("charrnn plan {verses} -c {tiny} --iterations 100000000", 0, count=3, cures=False),
    "a rate that explodes": Situation(
        "charrnn plan {verses} -c {tiny} --set train.iterations=600 --lr 1e30", 0, count=2, cures=False
    ),
    "a wide network": Situation(
        "charrnn plan {verses} -c {tiny} --set train.iterations=600 --hidden-size 400", 0, count=2
    ),
    "many passes": Situation("charrnn plan {text} -c {tiny} --set train.iterations=10000", 0, count=3),
    "line ends of two kinds": Situation("charrnn plan {mixed} -c {tiny} --set train.iterations=600", 0, count=3),
    # many runs
    "swept": Situation("charrnn sweep {grid} -o {new}", 0),
    "swept beside other runs": Situation(
        "charrnn sweep {grid} -o {new}",
        0,
        before=("charrnn sweep {grid} -o {new} -q", "cp -r {new}/hidden_size=3 {new}/other"),
    ),
    "a sweep in a directory of other things": Situation(
        "charrnn sweep {grid} -o {new}", before=("mkdir {new} && touch {new}/note",)
    ),
    "another sweep in the directory of one": Situation(
        "charrnn sweep {grid} -o {new} --set train.iterations=4", before=("charrnn sweep {grid} -o {new} -q",)
    ),
    "a run of a sweep fails": Situation(
        "charrnn sweep {grid} -o {new} --jobs 2 --set optim.schedule=plateau --set data.split=[1,0,0]", 2, then=2
    ),
    "a sweep is interrupted": Situation("charrnn sweep {grid} -o {new} -j 1", 130, patch=interrupt),
    # other words
    "an unknown corpus": Situation("charrnn train nowhere", 3),
    "a corpus to fetch": Situation("charrnn train text8", 3, then=6),
    "an unknown key": Situation("charrnn train {text} --set zzzzz=1"),
    "an unknown config": Situation("charrnn train {text} -c zzzzz"),
    "another program's flag": Situation("charrnn train {text} -c {tiny} --rnn_size 5", count=2, instead="--rnn_size 5"),
    "another program's flag for a key": Situation(
        "charrnn train {text} -c {tiny} --momentum 0.9", count=2, instead="--momentum 0.9"
    ),
    "another program's flag for the text": Situation("charrnn train --data_file {text}", count=2, cures=False),
    "an encoding": Situation("charrnn train {latin} -c {tiny}", 3, count=2),
    "an encoding for a run": Situation("charrnn eval {lm} {latin}", 3, cures=False),
    "another encoding than the run's": Situation("charrnn eval {western} {accents}", 0),
    "files without an end": Situation(
        "charrnn train {folder} -c {tiny}",
        0,
        count=2,
        before=("mkdir {folder}; for n in $(seq 70); do printf 'text %s' $n > {folder}/$n.txt; done",),
    ),
    "diverged": Situation(
        "charrnn train {text} -c {tiny} --set optim.name=sgd --set optim.learning_rate=1e30 --set optim.clip_norm=null",
        5,
    ),
    "planned with rare characters": Situation("charrnn plan {rare} -c {tiny}", 0, count=5),
    "another program's option for a prompt": Situation(
        "charrnn sample {lm} --start 'the sea'", count=2, instead="--start 'the sea'"
    ),
    "help is no command": Situation("charrnn help train", count=2),
    "an unknown encoding": Situation("charrnn train {noise} -c {tiny}", 3, count=2, patch=_without_detector),
    "an encoding by a guess": Situation("charrnn train {noise} -c {tiny}", 3, count=2, patch=_with_detector),
    "an unknown character in a text": Situation("charrnn eval {lm} {accents}", 3),
    "an unknown shell": Situation("charrnn completion", patch=_other_shell),
    "a doubtful encoding": Situation("charrnn train {zeros} -c {tiny}", 0, count=2),
    "an unknown option": Situation("charrnn train --zzzzz"),
    "an option of a command in a command": Situation("charrnn config show --zzzzz"),
    "a shell that is not named": Situation("charrnn completion", patch=_no_shell),
    "capitals of nothing": Situation("charrnn corpus make capitals -o {new}"),
    # runs that are used
    "a temperature that is no number": Situation("charrnn sample {lm} --temperature nan"),
    "a long prompt": Situation("charrnn sample {lm} --prompt-file {text}", patch=_small_prompts),
    "an unknown character": Situation("charrnn sample {lm} --prompt Ж"),
    "a label for a text": Situation("charrnn sample {lm} --label x", cures=False),
    "writing is not for answers": Situation("charrnn sample {classify}"),
    "answers are not for writing": Situation("charrnn predict {lm}"),
    "the same answer to all": Situation("charrnn predict {dull} {words}", 0),
    "a word to be answered": Situation("charrnn predict {classify} 'red $cat'", 3),
    "a table in place of inputs": Situation("charrnn predict {classify} {pairs}", 0),
    "gradients of answers": Situation("charrnn gradflow {classify}"),
    # files made small
    "nothing to compress": Situation("charrnn compress {lm} -o {new}"),
    "three files to restore": Situation("charrnn decompress {lm} {text} {text} -o {new}"),
    "a slip in the name of a file to compress": Situation("charrnn compress {lm} {text}2 -o {new}", 3, count=0),
    # old weights
    "characters lost": Situation("charrnn train {verse} -c {tiny} --init-from {lm}", 0, count=2),
    "a gentler rate": Situation(
        "charrnn train {text} --batch-size 4 --seq-length 8 --iterations 3 --init-from {lm}", 0, count=2
    ),
    "a vocabulary of no weights": Situation("charrnn train {text} -c {tiny} --set data.vocabulary=keep"),
    "a vocabulary of bytes": Situation(
        "charrnn train {text} -c {tiny} --set data.vocabulary=keep --set data.encoding=bytes --init-from {lm}"
    ),
    "a vocabulary that lacks something": Situation(
        "charrnn train {accents} -c {tiny} --set data.vocabulary=keep --init-from {lm}", 3, count=2
    ),
    "two vocabularies that are too much": Situation(
        "charrnn train {accents} -c {tiny} --set data.vocabulary=union --init-from {lm}", 3, patch=_few_in_all
    ),
    "columns of spelled characters": Situation(
        "charrnn train {accents} -c {tiny} --set data.min_count=2 --set data.split_by=columns"
    ),
    "patience without validation": Situation(
        "charrnn train {text} -c {tiny} --set data.split=[1,0,0] --patience 3 -o {new}"
    ),
    "no layer fits": Situation("charrnn train {text} -c {tiny} --set model.hidden_size=5 --init-from {lm} -o {new}", 4),
}
SITUATIONS["complete by epochs"] = dataclasses.replace(
    SITUATIONS["complete"],
    before=("charrnn train {text} -c {tiny} -o {new} --set train.iterations=null --set train.epochs=1",),
)
