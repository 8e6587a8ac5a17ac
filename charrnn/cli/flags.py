"""Flags for the keys that everybody sets, such as `--lr` for `optim.learning_rate`, and what is said of other flags.

Help and checks of a flag are those of its key, so that there is one place where each is declared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from charrnn import advice
from charrnn.config import reading
from charrnn.config.flags import FLAGS
from charrnn.config.resolve import Setting
from charrnn.config.schema import keys, types_of_keys
from charrnn.config.synonyms import named

METAVARS = {"--time-budget": "TIME", "--lr": "RATE", "--dropout": "P", "--cell": "CELL", "--optimizer": "NAME"}
"""What stands for the value of a flag in its help, where that is not N."""

TEXT = "the text is named without an option"
ELSEWHERE = {
    "data_dir data data_path data_file input input_file input_txt text text_file file filename corpus dataset "
    "train_file": TEXT,
    "save_dir checkpoint_dir ckpt_dir model_dir output output_dir out_dir log_dir run_dir save save_path "
    "rundir": "-o RUN_DIR says where the run is kept",
    "gpu gpuid gpu_id gpus cuda device gpu_backend opencl no_cuda use_cuda": "charrnn computes on the cores of the "
    "processor, on as many as train.threads says; leave it out",
    "checkpoint ckpt load load_from restore continue continue_from resume_from pretrained start_from": "-o RUN_DIR "
    "--resume continues a run, and --init-from CHECKPOINT begins one with its weights",
    "prime prime_text primetext start_text seed_text sample_len temperature": "it is for `sample`, and a run that "
    "is trained",
}
"""What other programs have a flag for and `train` has not, and where it is."""

LETTERS = {"e": "train.epochs", "n": "train.iterations", "i": "train.iterations", "b": "train.batch_size"}
LETTERS |= {"l": "model.num_layers", "d": "model.dropout", "s": "train.seed"}
"""The key that is meant by an option of one letter."""


def options(*flags: str) -> Callable[[Any], Any]:
    """Returns a decorator that gives a command these flags, by default all."""

    def decorate(command: Any) -> Any:
        for flag in reversed(flags or FLAGS):
            command = _option(flag)(command)
        return command

    return decorate


def _option(flag: str) -> Callable[[Any], Any]:
    """Returns the option of a flag, with the help of its key."""
    rules = keys()[FLAGS[flag]].metadata
    choices = rules["choices"]
    text = rules["help"].replace("`", "").partition(";")[0]
    return click.option(
        flag,
        metavar=METAVARS.get(flag, "NAME" if choices else "N"),
        help=f"{text[0].upper()}{text[1:]}{': ' + ', '.join(choices) if choices else ''} [{FLAGS[flag]}].",
        shell_complete=lambda ctx, param, begun: [CompletionItem(c) for c in choices if c.startswith(begun)],
    )


def take(options: dict[str, Any]) -> dict[str, str]:
    """Takes the flags out of the options of a command, and returns those that were given with their values."""
    given = {flag: options.pop(flag.strip("-").replace("-", "_"), None) for flag in FLAGS}
    return {flag: value for flag, value in given.items() if value is not None}


def take_settings(options: dict[str, Any]) -> list[Setting]:
    """Takes the flags out of the options of a command, and returns the settings that they ask for."""
    return [setting(flag, value) for flag, value in take(options).items()]


def setting(flag: str, value: str) -> Setting:
    """Returns the setting that a flag asks for with a value, which is read as that of --set. Raises ConfigError."""
    read = reading.read_assignment(f"{FLAGS[flag]}={value}", flag)
    return Setting(FLAGS[flag], read.value, f"{flag} {reading.shortened(value)}")


def instead(option: str, known: Iterable[str], typed: Sequence[str]) -> str:
    """Says what to type in the place of an option that a command, which knows some and `--set`, has not.

    `typed` is all that was typed, which has the value of the option. Empty where the option means nothing that we know.
    """
    known = set(known)
    name = option.lstrip("-").partition("=")[0].replace("-", "_").lower()
    value = _value(option.partition("=")[0], typed)
    for words, what in ELSEWHERE.items():
        if name in words.split() and "--resume" in known:
            return f"{what}: `{advice.command('train', Path(value))}`" if what == TEXT and value else what
    flags = {flag.strip("-").replace("-", "_"): path for flag, path in FLAGS.items()}
    path = flags.get(name) or LETTERS.get(name) or named(name, keys())
    if path is None:
        return ""
    flag = next((flag for flag, key in FLAGS.items() if key == path and flag in known), None)
    if flag:
        return f"it is `{advice.option(flag, value)}` here" if value else f"it is {flag} here"
    if types_of_keys()[path] in (bool, bool | None) and value not in ("true", "false"):  # a switch, and no value
        value = "true"
    return f"it is a key here: `{advice.setting(path, value or 'VALUE')}`"


def _value(option: str, typed: Sequence[str]) -> str:
    """Returns the value that was typed behind an option; empty if there is none."""
    for word, after in itertools.zip_longest(typed, typed[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if name == option:
            return value if equals else after * (not re.match(r"-\D", after))
    return ""
