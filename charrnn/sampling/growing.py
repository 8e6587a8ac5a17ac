"""One text as it grows, symbol by symbol: what of it can be shown, and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from charrnn.sampling.generating import NOTHING

LENGTH, STOP, END, STUCK = "length", "stop", "end", "max-copy"
"""Why a text ends: it is as long as was asked for; a stop text would appear; the model ended its document; all that it
could go on with would have been copied."""

FOR_EVER = (END, STUCK)
"""The reasons after which nothing can follow."""


class Growing:
    """Is one text. It ends where `end` is drawn, or where a stop text appears, whose beginnings it holds back."""

    def __init__(self, read: Callable[[int], str], end: int | None, stops: Sequence[str]) -> None:
        """`read` returns the character that is whole with a symbol; "" within one that is spelled in bytes."""
        self.read = read
        self.end = end
        self.stops = stops
        self.held = ""
        """What may be the beginning of a stop text, and is not shown yet."""
        self.ended: str | None = None
        """Why it ended; None while it grows."""
        self.characters = 0
        """How many characters were drawn for it, a stop text's too; one that is not whole is none, nor is an end."""
        self.nats = 0.0
        """What these cost under the model's own distribution, where that was counted."""

    def push(self, symbol: int, nats: float = 0.0) -> str:
        """Returns what can be shown once this symbol is drawn, which cost so many nats."""
        if self.ended:
            return ""
        if symbol == NOTHING:
            return self._finish(STUCK, len(self.held))
        self.nats += nats
        if symbol == self.end:
            return self._finish(END, len(self.held))
        if not (character := self.read(symbol)):
            return ""
        self.characters += 1
        self.held += character
        if not self.stops:
            return self._release(len(self.held))
        found = max((len(stop) for stop in self.stops if self.held.endswith(stop)), default=0)
        if found:
            return self._finish(STOP, len(self.held) - found)
        return self._release(len(self.held) - max(self._may_begin(stop) for stop in self.stops))

    def flush(self) -> str:
        """Returns what is still held, at the end of the text."""
        return "" if self.ended else self._finish(LENGTH, len(self.held))

    def _may_begin(self, stop: str) -> int:
        """Returns how many of the last characters may be the first of a stop text."""
        return next((n for n in range(len(stop) - 1, 0, -1) if self.held.endswith(stop[:n])), 0)

    def _finish(self, why: str, n: int) -> str:
        self.ended = why
        return self._release(n)

    def _release(self, n: int) -> str:
        passed, self.held = self.held[:n], self.held[n:]
        return passed
