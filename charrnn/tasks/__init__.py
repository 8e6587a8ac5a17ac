"""What can be learnt, by name. A new task is a file beside this one and a line in `TASKS` (see `base`).

The table holds names alone and imports nothing: what can be chosen is known without NumPy.
"""

from __future__ import annotations

import dataclasses
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


READ_BY_ALL = ("encoding", "newlines", "split")
"""The keys of the section `data` that every task reads."""


def find(name: str, data: DataConfig | None = None) -> type[Task]:
    """Returns the class of the task called `name`, a key of TASKS, that learns from data that are read as `data` says.

    Raises ConfigError where `data` has a key that the task does not read.
    """
    documents = data is not None and data.documents is not None
    module, kind = OF_DOCUMENTS.get(name, TASKS[name]) if documents else TASKS[name]
    found: type[Task] = getattr(importlib.import_module(module), kind)
    if data is not None:
        _refuse_unread(name, found, data)
    return found


def _refuse_unread(name: str, kind: type[Task], data: DataConfig) -> None:
    """Raises ConfigError, with a line for each, for keys that are set and that the task does not read."""
    fields = [field for field in dataclasses.fields(data) if field.name not in (*READ_BY_ALL, *kind.data_keys)]
    what = f"the task {name}, of documents," if "documents" in kind.data_keys else f"the task {name}"
    if unread := [field.name for field in fields if getattr(data, field.name) != field.default]:
        raise ConfigError(*(f"data.{key}: {what} does not read it; leave it out" for key in unread))
