"""What tasks that answer inputs have in common: how an answer looks to the command that shows it."""

from __future__ import annotations

from typing import Any, Protocol


class Answer(Protocol):
    """Is what a task that can `predict` yields for each input."""

    @property
    def input(self) -> str:
        """The input."""

    @property
    def answer(self) -> str:
        """What is answered to it: the best, where there are several."""

    @property
    def ended(self) -> bool:
        """Whether the answer is whole; if not, it was cut off."""

    @property
    def unknown(self) -> int:
        """How many characters of the input were never seen in training."""

    def line(self) -> str:
        """Returns it as a line of text."""

    def facts(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
