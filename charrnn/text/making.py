"""Makes pairs of texts to learn from, each a source and its target: sums, capitals, dates.

They are tasks whose answers are known, so any number of examples costs nothing, and a mistake is the model's own.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

import numpy as np

from charrnn.arrays import Ids
from charrnn.errors import ConfigError
from charrnn.text.rows import escape

TextPair = tuple[str, str]
"""A source, and the target that is its answer."""

MOST_DIGITS = 9
"""Digits of the longest numbers that are added: two such make a number of 64 bits."""

FIRST_YEAR, LAST_YEAR = 1950, 2049
"""The years of dates: a hundred, so that the last two digits tell which it is."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

WAYS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "the {nth} of {month} {year}",
    "{month} {nth}, {year}",
    "{day} {short} {year}",
    "{short} {day} {year}",
    "{day}-{short}-{last_digits:02}",
    "{day:02}.{number:02}.{year}",
    "{day}.{number}.{last_digits:02}",
    "{year}/{number}/{day}",
    "{year} {short} {day:02}",
)
"""In how many ways a day is written. None puts the number of the month first, which would leave some days in doubt."""


def sums(rows: int, digits: int, seed: int, reverse: bool = False) -> list[TextPair]:
    """Returns different sums with their results, as in `123+45` and `168`; `reverse` writes the source backwards.

    Numbers have 1 to `digits` digits, each length as often as another, so that short ones are seen too. Sutskever et
    al. 2014 turn sources around: their beginning is then near the beginning of the target. Raises ConfigError for more
    rows than there are sums.
    """
    rng = np.random.default_rng(seed)
    numbers = 10**digits
    if rows > numbers**2:
        raise ConfigError(
            f"there are {numbers**2:,} sums of numbers of at most {digits} digits, and {rows:,} rows are asked for; "
            f"ask for fewer, or for more digits"
        )
    if 2 * rows > numbers**2:  # the few that are rarely drawn would take for ever
        chosen = rng.permutation(numbers**2)[:rows].tolist()
    else:
        found: dict[int, None] = {}
        while len(found) < rows:
            a, b = (rng.integers(_least(lengths), 10**lengths) for lengths in rng.integers(1, digits + 1, (2, rows)))
            found |= dict.fromkeys((a * numbers + b).tolist())
        chosen = list(found)[:rows]
    written = ((f"{a}+{b}", str(a + b)) for a, b in (divmod(both, numbers) for both in chosen))
    return [(source[::-1] if reverse else source, target) for source, target in written]


def _least(lengths: Ids) -> Ids:
    """Returns the smallest number of so many digits: 0, 10, 100 and so on."""
    return np.where(lengths > 1, 10 ** (lengths - 1), 0)


def capitals(text: str) -> list[TextPair]:
    """Returns each line of a text that is not blank, in small letters and as it is; both are of equal length.

    A letter whose small form is longer, such as `İ`, stands in the source as it is.
    """
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [("".join(map(_small, line)), line) for line in lines if line.strip()]


def _small(character: str) -> str:
    small = character.lower()
    return small if len(small) == 1 else character


def dates(rows: int, seed: int) -> list[TextPair]:
    """Returns different dates, written as in `3 March 1987` or in another of the `WAYS`, each with `1987-03-03`.

    Raises ConfigError for more rows than there are.
    """
    first = datetime.date(FIRST_YEAR, 1, 1).toordinal()
    days = datetime.date(LAST_YEAR, 12, 31).toordinal() - first + 1
    found: dict[str, str] = {}
    for number in np.random.default_rng(seed).permutation(days * len(WAYS)).tolist():
        if len(found) == rows:
            break
        way, day = divmod(number, days)
        date = datetime.date.fromordinal(first + day)
        found[_written(WAYS[way], date)] = date.isoformat()  # in May two ways are the same
    if len(found) < rows:
        raise ConfigError(f"there are {len(found):,} such dates, and {rows:,} rows are asked for; ask for fewer")
    return list(found.items())


def _written(way: str, date: datetime.date) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if 10 < date.day < 14 else endings.get(date.day % 10, "th")
    month = MONTHS[date.month - 1]
    return way.format(
        day=date.day,
        nth=f"{date.day}{ending}",
        weekday=WEEKDAYS[date.weekday()],  # not strftime, which would write it in the language of the system
        month=month,
        short=month[:3],
        number=date.month,
        year=date.year,
        last_digits=date.year % 100,
    )


def to_tsv(pairs: Iterable[TextPair]) -> Iterator[str]:
    r"""Yields a line for each pair, with a tab between the two, in which tabs, newlines and `\` are escaped."""
    for source, target in pairs:
        yield f"{escape(source)}\t{escape(target)}\n"
