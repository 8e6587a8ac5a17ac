"""Metrics and samples as files for TensorBoard, where its library is installed."""

from __future__ import annotations

from pathlib import Path

from charrnn.errors import ConfigError
from charrnn.files import as_output_error
from charrnn.reporting.history import History, is_number
from charrnn.runs.places import METRICS, SAMPLES

INSTALL = "pip install 'charrnn[tensorboard]'"


def write(run: Path, folder: Path) -> None:
    """Writes the metrics and samples of a run as events into `folder`; those that are there from before are replaced.

    Raises ConfigError where the library is missing, or the run has no metrics, and OutputError.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ConfigError(f"files for TensorBoard need the library tensorboardX; install it with: {INSTALL}") from None
    place = run if run.is_dir() else run.parent
    history, samples = History.read(place / METRICS), History.read(place / SAMPLES)
    if not history.lines:
        raise ConfigError(f"{place} has no lines in {METRICS}; give the directory of a run")
    with as_output_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        with SummaryWriter(str(folder)) as writer:
            for line in history.lines:
                for key, value in line.items():
                    if key != "iteration" and is_number(value):
                        writer.add_scalar(key, value, line["iteration"])
            for line in samples.lines:
                if isinstance(line.get("text"), str):
                    writer.add_text("sample", line["text"], line["iteration"])
