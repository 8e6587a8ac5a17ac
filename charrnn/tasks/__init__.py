"""What can be learnt, by name. A new task is a file beside this one and a line in `TASKS` (see `base`).

The table holds names alone and imports nothing: what can be chosen is known without NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from charrnn.errors import ConfigError

if TYPE_CHECKING:
    from charrnn.tasks.base import Task
    from charrnn.text.options import DataConfig

TASKS: dict[str, tuple[str, str]] = {
    "language_model": ("charrnn.tasks.language_model", "LanguageModel"),
    "classify": ("charrnn.tasks.classify", "Classify"),
    "generate": ("charrnn.tasks.generate", "Generate"),
    "tag": ("charrnn.tasks.tag", "Tag"),
    "transduce": ("charrnn.tasks.transduce", "Transduce"),
}
"""Each task's module and class."""

OF_DOCUMENTS: dict[str, tuple[str, str]] = {"language_model": ("charrnn.tasks.documents", "DocumentModel")}
"""Module and class of tasks that are others where `data.documents` makes many texts of one."""


def find(name: str, data: DataConfig | None = None) -> type[Task]:
    """Returns the class of the task called `name`, a key of TASKS, that learns from data that are read as `data` says.

    Raises ConfigError where it cannot learn from documents, and `data` asks for them.
    """
    module, kind = TASKS[name]
    if data is not None and data.documents is not None:
        if name not in OF_DOCUMENTS:
            raise ConfigError(
                f"data.documents is for the task {' and '.join(OF_DOCUMENTS)}, and task.name is {name!r}; leave it out"
            )
        module, kind = OF_DOCUMENTS[name]
    found: type[Task] = getattr(importlib.import_module(module), kind)
    return found
