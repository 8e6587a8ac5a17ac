"""What can be learnt, by name. A new task is a file beside this one and a line in `TASKS` (see `base`).

The table holds names alone and imports nothing: what can be chosen is known without NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charrnn.tasks.base import Task

TASKS: dict[str, tuple[str, str]] = {
    "language_model": ("charrnn.tasks.language_model", "LanguageModel"),
    "classify": ("charrnn.tasks.classify", "Classify"),
    "generate": ("charrnn.tasks.generate", "Generate"),
    "tag": ("charrnn.tasks.tag", "Tag"),
    "transduce": ("charrnn.tasks.transduce", "Transduce"),
}
"""Each task's module and class."""


def find(name: str) -> type[Task]:
    """Returns the class of the task called `name`, a key of TASKS."""
    module, kind = TASKS[name]
    found: type[Task] = getattr(importlib.import_module(module), kind)
    return found
