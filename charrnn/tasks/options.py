"""The section `task` of a configuration."""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.keys import key
from charrnn.tasks import TASKS


@dataclass(frozen=True)
class TaskConfig:
    """What is learnt."""

    name: str = key("language_model", "the task", choices=TASKS)
