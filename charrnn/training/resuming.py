"""What a run that is resumed must have in common with the one that was interrupted."""

from __future__ import annotations

from pathlib import Path

from charrnn import advice
from charrnn.config import writing
from charrnn.config.schema import Config
from charrnn.errors import CheckpointError, ConfigError
from charrnn.runs.run import Corpus, Run
from charrnn.tasks.base import Examples
from charrnn.text.origin import MOST_NAMED, Origin, origin_of

RESUMABLE = (
    "train.epochs",
    "train.iterations",
    "train.time_budget",
    "train.patience",
    "train.threads",
    "train.layout",
    "train.eval_every",
    "train.eval_chars",
    "train.checkpoint_every",
    "train.sample_every",
    "train.on_divergence",
    "optim.learning_rate",
)
"""Keys that may be changed when a run is resumed; any other would make it another run."""


def command(run: Run, place: Path, *options: object) -> str:
    """Returns the command that continues a run in its directory. What was read from standard input is needed again."""
    text = run.corpus.as_typed if run.corpus.is_from_stdin else ()
    return advice.command("train", *text, "-o", place, "--resume", *options)


def refuse_another_configuration(run: Run, config: Config) -> None:
    """Raises ConfigError where a configuration would make it another run."""
    before, after = writing.to_dict(run.config), writing.to_dict(config)
    changed = [
        f"{section}.{name} was {before[section][name]!r} and cannot become {value!r} in a resumed run; "
        f"{_instead(f'{section}.{name}')}"
        for section, values in after.items()
        for name, value in values.items()
        if value != before[section][name] and f"{section}.{name}" not in RESUMABLE
    ]
    if changed:
        raise ConfigError(*changed)


def _instead(path: str) -> str:
    """Returns what to do where a key cannot be changed: weights fit no network of another shape."""
    if path.partition(".")[0] in ("model", "data", "task") or path in ("train.dtype", "train.gradient"):
        return "leave it out to go on, or begin a new run, with another -o and without --resume"
    return "leave it out to go on, or begin a new run, with --init-from if the weights shall be kept"


def refuse_other_examples(run: Run, examples: Examples) -> None:
    """Raises CheckpointError where the examples are not those of the run."""
    corpus, data = run.corpus, run.config.data
    if examples.sha256 != corpus.sha256 and (what := _changed_files(corpus, origin_of(examples))):
        raise CheckpointError(f"{what}; this run learns from {corpus.name} as it was: restore that, or begin a new run")
    others = ", ".join(filter(None, (data.validation, data.test)))
    if examples.sha256 != corpus.sha256:
        raise CheckpointError(
            f"{examples.name} ({examples.size:,} bytes, sha256 {examples.sha256[:12]}...) is not what this run learns "
            f"from, {corpus.name} ({corpus.size:,} bytes, sha256 {corpus.sha256[:12]}...)"
            f"{f', each with {others}' if others else ''}; give that, or begin a new run with --init-from"
        )


def _changed_files(corpus: Corpus, origin: Origin) -> str:
    """Says which files of several are not those of a run; nothing where there was but one, or too many."""
    if not corpus.files or origin.sources != (corpus.sources or origin.sources):
        return ""
    before, now = ({file.name: file for file in files} for files in (corpus.files, origin.files))
    found = {
        "has changed": [name for name in before if name in now and before[name] != now[name]],
        "is gone": [name for name in before if name not in now],
        "is new": [name for name in now if name not in before],
    }
    told = [f"{name} {what}" for what, names in found.items() for name in names]
    more = f" and {len(told) - MOST_NAMED:,} more" * (len(told) > MOST_NAMED)
    return ", ".join(told[:MOST_NAMED]) + more


def changes(run: Run, now: dict[str, str]) -> list[str]:
    """Lists what computes otherwise than before, as in `numpy 2.1.0 became 2.4.6`; `now` is the new environment."""
    before = run.environment
    if not run.iteration:  # nothing has been computed
        return []
    return [f"{name} {before[name]} became {now[name]}" for name in now if before.get(name, now[name]) != now[name]]
