"""What should be thought of before a run begins: one line for each, with the option that helps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from charrnn import advice, system
from charrnn.config.flags import flag_of
from charrnn.planning.looking import RARE
from charrnn.planning.plan import RunPlan
from charrnn.text.streams import Streams
from charrnn.training import few_updates, patience

WIDE = 10
"""Parameters for each character to learn from, above which a network learns by heart long before its end."""

ENOUGH = 4
"""Parameters for each character that a narrower network should have at most; none is advised below `NARROW` units."""

NARROW = 32

MANY_PASSES = 60
"""Passes above which even a network that is not wide learns by heart, if nothing is dropped."""

REPEATED = 0.1
"""Share of a text, or of its validation part, in repeated passages, from which on it is worth a word."""

LITTLE_VALIDATION = 1000
"""Characters to validate on below which the loss is mostly chance."""

SHOWN = 5
"""Odd characters that are named."""

LONG = 12 * 3600.0
"""Seconds of a run above which a budget is worth a thought."""


def remarks(plan: RunPlan, chosen: Collection[str] = ()) -> list[str]:
    """Returns what should be thought of, the most important first.

    What advises another value of a key in `ABOUT` is left out where that was `chosen` for this very text and time.
    """
    return [line for find in FINDERS if ABOUT.get(find) not in chosen for line in find(plan)]


def _diverges(plan: RunPlan) -> Iterator[str]:
    if plan.timing.diverged:
        rate = _round(plan.prepared.run.config.optim.learning_rate / 10)
        yield f"{plan.timing.diverged}: lower the rate, as with {_option('optim.learning_rate', rate)}"


def _few_updates(plan: RunPlan) -> Iterator[str]:
    lines = few_updates.remark(plan.prepared.run.config, plan.batches_per_epoch, plan.updates)
    if lines and plan.foreseen and plan.batches_per_epoch >= few_updates.TOO_FEW:
        yield f"{plan.updates:,} updates are too few for a text to be learnt; give it more time, or a smaller network"
    else:
        yield from lines


def _too_patient(plan: RunPlan) -> Iterator[str]:
    yield from patience.remark(plan.prepared.run.config, plan.updates)


def _not_read_once(plan: RunPlan) -> Iterator[str]:
    if plan.foreseen and plan.epochs < 1:
        yield (
            f"in this time the text is not read once, {plan.epochs:.0%} of it; give it more time, or choose a smaller "
            f"network, as with {_narrower(plan, plan.prepared.run.config.model.hidden_size // 2)}"
        )


def _long(plan: RunPlan) -> Iterator[str]:
    is_told_otherwise = plan.foreseen and (plan.epochs < 1 or plan.prepared.run.config.train.epochs)
    if plan.seconds > LONG and not is_told_otherwise:
        yield (
            f"it will take {plan.seconds / 3600:.0f} hours; to end it on the clock, with the schedule of the rate, "
            f"{_option('train.time_budget', '1h')}"
        )


def _passes_cut_short(plan: RunPlan) -> Iterator[str]:
    epochs = plan.prepared.run.config.train.epochs
    if plan.foreseen and epochs and plan.epochs >= 1:
        yield (
            f"the time ends it before train.epochs does, after {plan.epochs:.1f} of {epochs:,} passes; to end with "
            f"them, raise the time"
        )


def _wide(plan: RunPlan) -> Iterator[str]:
    parameters, characters = plan.prepared.run.model.num_parameters, max(1, plan.learnt_from)
    if parameters > WIDE * characters:
        width = plan.prepared.run.config.model.hidden_size
        while width > NARROW and _parameters(plan, width) > ENOUGH * characters:
            width //= 2
        yield (
            f"{parameters:,} parameters for {characters:,} characters to learn from: it will know them by heart; "
            f"more text helps most, or {_narrower(plan, width)}"
        )


def _many_passes(plan: RunPlan) -> Iterator[str]:
    if plan.epochs > MANY_PASSES and not plan.prepared.run.config.model.dropout:
        yield (
            f"{plan.epochs:,.0f} passes: what is read so often is learnt by heart, long before the end; more text "
            f"helps most, or {_option('model.dropout', 0.5)}"
        )


def _memory(plan: RunPlan) -> Iterator[str]:
    there = system.most_memory()
    if plan.timing.memory > 0.9 * there:
        yield (
            f"it takes {plan.timing.memory / 2**30:.1f} GiB of the {there / 2**30:.1f} that there are; lower "
            f"model.hidden_size, train.batch_size or train.seq_length"
        )


def _odd(plan: RunPlan) -> Iterator[str]:
    odd = plan.looked.odd
    if not odd:
        return
    named = ", ".join(f"U+{ord(c.symbol):04X} ({c.what}, {c.count:,} times)" for c in odd[:SHOWN])
    more = f", and {len(odd) - SHOWN:,} more" if len(odd) > SHOWN else ""
    yield f"characters that hardly belong in a text: {named}{more}; is its encoding right? else take them out"


def _line_ends(plan: RunPlan) -> Iterator[str]:
    kinds = [f"{count:,} {kind}" for kind, count in plan.looked.line_ends.items() if count]
    if len(kinds) > 1 and "labels" not in plan.items:
        yield (
            f"line ends of several kinds, {' and '.join(kinds)}, are learnt as they are; to make them one: "
            f"{_option('data.newlines', 'lf')}"
        )


def _repeats(plan: RunPlan) -> Iterator[str]:
    share, of_validation = plan.repeats.share, plan.repeats.of_validation
    if of_validation is not None and of_validation > REPEATED:
        yield (
            f"{of_validation:.0%} of what is validated on stands before, word for word: the validation loss will "
            f"flatter; take out what is there twice"
        )
    elif share > REPEATED and not plan.items:
        yield f"{share:.0%} of the text is in passages that stand in it before, word for word; is a part there twice?"
    elif share > REPEATED:
        yield f"{share:.0%} of the items are there before; equal ones are in one part, and count as often as they come"


def _little_validation(plan: RunPlan) -> Iterator[str]:
    part = plan.prepared.split.validation
    if part is None:
        yield "nothing is validated on, so nobody will see when it learns by heart"
    elif isinstance(part, Streams) and part.characters < LITTLE_VALIDATION:
        yield (
            f"{part.characters:,} characters to validate on are few: the validation loss is mostly chance; "
            f"to give it more: {_option('data.split', [0.8, 0.2, 0])}"
        )


def _labels(plan: RunPlan) -> Iterator[str]:
    labels = plan.items.get("labels", {})
    if few := [label for label, count in labels.items() if count < RARE]:
        named = ", ".join(map(repr, few[:SHOWN])) + (", ..." if len(few) > SHOWN else "")
        yield f"labels seen less than {RARE} times, of which hardly anything can be learnt: {len(few):,} ({named})"


FINDERS: tuple[Callable[[RunPlan], Iterator[str]], ...] = (
    _diverges,
    _few_updates,
    _too_patient,
    _not_read_once,
    _long,
    _passes_cut_short,
    _memory,
    _wide,
    _many_passes,
    _repeats,
    _odd,
    _line_ends,
    _little_validation,
    _labels,
)
"""Each looks for one thing."""

ABOUT: dict[Callable[[RunPlan], Iterator[str]], str] = {
    _too_patient: "train.patience",
    _not_read_once: "model.hidden_size",
    _passes_cut_short: "train.epochs",
    _wide: "model.hidden_size",
    _many_passes: "model.dropout",
}
"""Which key it advises to change, where there is one."""


def _narrower(plan: RunPlan, width: int) -> str:
    """Returns the options for a narrower network, or for dropout where it is narrow already."""
    model = plan.prepared.run.config.model
    if width < model.hidden_size:
        return _option("model.hidden_size", width)
    return _option("model.dropout", 0.5)


def _parameters(plan: RunPlan, width: int) -> int:
    """Returns how many parameters the network would have with that width."""
    run = plan.prepared.run
    return run.task.model(dataclasses.replace(run.config.model, hidden_size=width)).num_parameters


def _round(rate: float) -> float:
    """Returns a rate with one digit."""
    return float(f"{rate:.0e}")


def _option(key: str, value: Any) -> str:
    """Returns the option that gives a key this value, after whatever was typed: its flag, which wins, or `--set`."""
    return advice.option(flag_of(key) or key, value)
