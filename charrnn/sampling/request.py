"""What text is wanted, and whether that can be had: the one place that checks it, for whoever asks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypedDict

import numpy as np

from charrnn.errors import ConfigError
from charrnn.sampling.filters import PLAIN, Filters
from charrnn.tasks.writer import Writer


class RequestError(ConfigError):
    """Says what is wrong with a field of a request."""

    def __init__(self, field: str, what: str) -> None:
        """`field` is its name in Python, from which the command line makes that of its option."""
        super().__init__(f"{field} {what}")
        self.field, self.what = field, what


@dataclass(frozen=True)
class Request:
    """Says what text is wanted."""

    prompts: tuple[str, ...] = ("",)
    """The texts to continue; where one is empty, the model first reads what `openings` says."""
    length: int = 500
    """Characters to write at most; where documents were learnt, the model ends them itself."""
    seed: int | None = None
    """The same seed gives the same text; None draws one."""
    stop: tuple[str, ...] = ()
    """Texts before which to end, if one would appear."""
    filters: Filters = PLAIN
    label: str | None = None
    """What the texts are told, where the run has learnt labels; None draws one for each, as often as it was seen."""
    allow: str | None = None
    """The characters that may be written, and no others; None for all."""
    ban: str = ""
    """Characters that may not be written."""
    repetition_penalty: float = 1.0
    """What the probability of a character that was written of late is divided by; 1 changes nothing."""
    repetition_window: int = 16
    """How many characters back that is."""
    best_of: int = 1
    """How many texts are drawn for each that is wanted, of which the model finds the one that is returned likeliest."""
    max_copy: int | None = None
    """So many characters in a row may be as in the training text, and not one more; None for any number."""


class Options(TypedDict, total=False):
    """Holds what `sample` takes by name: the fields of `Filters`, and those of `Request` that it does not list."""

    temperature: float
    top_k: int | None
    top_p: float | None
    min_p: float | None
    allow: str | None
    ban: str
    repetition_penalty: float
    repetition_window: int
    best_of: int
    max_copy: int | None


def request_of(
    prompt: str | Iterable[str],
    length: int,
    seed: int | None,
    stop: str | Iterable[str] | None,
    label: str | None,
    options: Options,
) -> Request:
    """Returns the request that someone makes in Python.

    Raises TypeError for an option that there is not, and RequestError for prompts and stops that are no texts.
    """
    fields: dict[str, Any] = dict(options)
    filters = Filters(**{name: fields.pop(name) for name in Filters.__dataclass_fields__ if name in fields})
    prompts, stops = _texts("prompt", prompt), () if stop is None else _texts("stop", stop)
    return Request(prompts, length, seed, stops, filters, label, **fields)


def _texts(field: str, given: Any) -> tuple[str, ...]:
    """Returns a text, or several, as several."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise RequestError(field, f"must be text, not {given!r}")
    return tuple(given)


def check(request: Request, task: Writer, samples: int) -> None:
    """Raises RequestError for what means nothing, or can have no effect, with a model of this task's characters.

    Raises ConfigError for a label that there is not, and DataError for prompts of unknown characters.
    """
    filters, vocabulary = request.filters, task.vocabulary
    _number("temperature", filters.temperature, "a finite number of at least 0", lambda x: x >= 0)
    _number("top_p", filters.top_p, "a number above 0, up to 1", lambda x: 0 < x <= 1)
    _number("min_p", filters.min_p, "a number from 0 to 1", lambda x: 0 <= x <= 1)
    _number("repetition_penalty", request.repetition_penalty, "a finite number above 0", lambda x: x > 0)
    _whole("top_k", filters.top_k, 1)
    _whole("length", request.length, 0)
    _whole("samples", samples, 1)
    _whole("seed", request.seed, 0)
    _whole("repetition_window", request.repetition_window, 1)
    _whole("best_of", request.best_of, 1)
    _whole("max_copy", request.max_copy, 1)
    if not request.prompts:
        raise RequestError("prompts", "are none; give one, which may be empty")
    for field, texts in (("prompt", request.prompts), ("stop", request.stop)):
        if not all(isinstance(text, str) for text in texts):
            raise RequestError(field, f"must be text, not {texts!r}")
    writable = _writable(request, task)
    for stop in request.stop:
        _check_stop(stop, request, task, writable)
    task.told(request.label, 1, np.random.default_rng(0))
    for prompt in dict.fromkeys(request.prompts):
        vocabulary.encode(prompt)


def _number(field: str, value: Any, what: str, is_right: Any) -> None:
    """Refuses what is not a finite number in a range; None is one that is left out."""
    if value is None and field not in ("temperature", "repetition_penalty"):
        return
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value) or not is_right(value):
        raise RequestError(field, f"must be {what}, not {value!r}")


def _whole(field: str, value: Any, least: int) -> None:
    """Refuses what is not a whole number of at least `least`; None is one that is left out."""
    if value is None and field in ("top_k", "seed", "max_copy"):
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise RequestError(field, f"must be a whole number of at least {least}, not {value!r}")


def _writable(request: Request, task: Writer) -> str:
    """Returns the characters that `allow` and `ban` leave. Raises RequestError where they leave none."""
    vocabulary = task.vocabulary
    for field, characters in (("allow", request.allow), ("ban", request.ban)):
        if not isinstance(characters, str) and not (field == "allow" and characters is None):
            raise RequestError(field, f"must be text, not {characters!r}")
        if characters and (never := task.unwritable(characters)):
            said = vocabulary.describe(never)
            raise RequestError(field, f"has characters that the model cannot write: {said}; leave them out")
    allowed = vocabulary.symbols if request.allow is None else request.allow
    if vocabulary.fallback and request.allow is None:
        return "".join(c for c in {*allowed, *"".join(request.stop)} if c not in request.ban)  # and all others
    left = "".join(symbol for symbol in allowed if symbol not in request.ban)
    if not left:
        raise RequestError("ban" if request.ban else "allow", "leaves no character to write with; let one be")
    return left


def _check_stop(stop: str, request: Request, task: Writer, writable: str) -> None:
    """Refuses a stop text that can never appear."""
    if not stop:
        raise RequestError("stop", "is empty, and would end every text at once; leave it out")
    vocabulary, shown = task.vocabulary, task.vocabulary.quoted(stop)
    if never := task.unwritable(stop):
        raise RequestError(
            "stop",
            f"{shown} can never appear: the model cannot write {vocabulary.describe(never)}; give what it can, or "
            f"leave it out",
        )
    if barred := "".join(dict.fromkeys(c for c in stop if c not in writable)):
        raise RequestError("stop", f"{shown} can never appear: allow or ban leaves out {vocabulary.describe(barred)}")
    if 0 < request.length < len(stop):
        raise RequestError("stop", f"{shown} can never appear in {request.length} characters; give a greater length")
