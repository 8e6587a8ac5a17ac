"""What is meant by options that a command has not: those of other programs, of one dash, or with a slip in them."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from charrnn import advice
from charrnn.cli import flags

SAMPLE = {
    "--prompt": "start prime primetext prime_text start_text start_string seed_text prefix primer context begin",
    "--length": "num len num_chars n_chars chars characters gen_len sample_len max_len max_length max_tokens "
    "max_new_tokens predict_len size",
    "--samples": "num_samples n_samples nsamples number count",
    "--temperature": "t temper",
    "--top-k": "k topk",
    "--top-p": "p topp nucleus",
    "--seed": "s random_seed manual_seed",
}
"""What other programs call the options of `sample`."""

PLACES = "checkpoint ckpt model model_path model_dir save_dir load load_from init_from out_dir run run_dir cv"
"""What other programs have an option for, and `sample` is told without one."""


def unknown_options(context: click.Context, typed: Sequence[str]) -> list[str]:
    """Returns a message for each option among what was typed that the command of a context has not."""
    known = {name: option for option in context.command.get_params(context) for name in _names(option)}
    found = _unknown(known, _of_the_command(context, typed))
    return [f"No such option {option!r}{_told(context, option, value, typed)}" for option, value in found]


def _of_the_command(context: click.Context, typed: Sequence[str]) -> Sequence[str]:
    """Returns what of all that was typed is for the command of a context, and not for those above and below it."""
    for name in context.command_path.split()[1:]:
        typed = typed[typed.index(name) + 1 :]
    return [*itertools.takewhile(_is_option, typed)] if isinstance(context.command, click.Group) else typed


def _names(option: click.Parameter) -> list[str]:
    return [*option.opts, *option.secondary_opts] if isinstance(option, click.Option) else []


def _unknown(known: dict[str, click.Parameter], typed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields each option that is not known, with what may be its value."""
    words = iter([*enumerate(typed)])
    for place, word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            return
        if not _is_option(word):
            continue
        after = typed[place + 1] if place + 1 < len(typed) else ""
        option = known.get(name if word.startswith("--") else word)
        if option is not None:
            if not equals and not getattr(option, "is_flag", False):
                next(words, None)
        elif word.startswith("--") or not _may_be_glued(word, known):
            yield name, value if equals else after * (not _is_option(after))


def _is_option(word: str) -> bool:
    """Tells whether a word is an option, and neither `-` for standard input nor a number."""
    return len(word) > 1 and word[0] == "-" and not (word[1].isdigit() or word[1] == ".")


def _may_be_glued(word: str, known: dict[str, click.Parameter]) -> bool:
    """Tells whether a word is an option of one letter with its value, as `-n300`, or several of them, as `-qh`."""
    option = known.get(word[:2])
    if option is None:
        return False
    if getattr(option, "is_flag", False):
        return all(f"-{letter}" in known for letter in word[1:])
    return not (isinstance(option.type, click.types.IntParamType) and word[2:3].isalpha())


def _told(context: click.Context, option: str, value: str, typed: Sequence[str]) -> str:
    """Says what is meant by an option, as `; it is --prompt here`; empty where nothing near is known."""
    for path in (Path(option), Path("runs") / option):
        if os.path.exists(path):
            return f"; what is called so is {advice.word(path)}"
    names = [name for parameter in context.command.get_params(context) for name in _names(parameter)]
    known = [name for name in names if name.startswith("--")]
    if "--set" in known and (meant := flags.instead(option, known, typed)):
        return f"; {meant}"
    name = option.lstrip("-").replace("_", "-").lower()
    if context.command.name == "sample" and name.replace("-", "_") in PLACES.split():
        return "; the run is named without an option"
    if context.command.name == "sample" and name in ("gpuid", "gpu", "cuda", "device"):
        return "; charrnn computes on the processor; leave it out"
    others = SAMPLE if context.command.name == "sample" else {}
    if option == "-V" and "--version" in known:
        name = "version"
    same = [other for other in known if other == f"--{name}" or name.replace("-", "_") in others.get(other, "").split()]
    begun = [other for other in known if len(name) > 1 and other.startswith(f"--{name}")]
    if found := same[:1] or (begun if len(begun) == 1 else []):
        return f"; it is `{advice.option(found[0], value)}` here" if value else f"; it is {found[0]} here"
    near = begun or difflib.get_close_matches(f"--{name}", known, n=1, cutoff=0.7) * (len(name) > 1)
    return f"; did you mean {' or '.join(near)}?" if near else ""
