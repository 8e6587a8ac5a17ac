"""What is seen of training while it runs: a progress bar, and lines that stay."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from charrnn.cli.commentary import Commentary, columns, fitting
from charrnn.cli.sparkline import LEAST, WIDTH, sparkline
from charrnn.errors import OutputError

if TYPE_CHECKING:
    from charrnn.training.metrics import Record
    from charrnn.training.trainer import Trainer


class Display(Commentary):
    """Shows how far training is: the bar moves at each update, and each evaluation leaves a line."""

    def __init__(self, trainer: Trainer, quiet: bool) -> None:
        super().__init__(trainer.progress.share(), quiet)
        self.trainer = trainer
        self.losses = self._before() if self.terminal else []
        """The validation losses so far, for the sparkline."""

    def show(self, record: Record) -> None:
        """Moves the bar. An evaluation leaves a line that stays, and so does where one would be, if there are none."""
        progress, run = self.trainer.progress, self.trainer.run
        here = progress.complete or record.iteration % run.config.train.eval_every == 0
        if record.scores is not None or (here and not progress.evaluates):
            line = (
                f"iteration {record.iteration:>7,}  epoch {record.epoch:6.2f}  {record.chars_per_s:>9,.0f} chars/s  "
                f"train {nats(record)}{self._judged(record)}"
                f"{f'  {record.skipped:,} skipped' if record.skipped else ''}"
            )
            self.say(f"{line}{self._sparkline(record, len(line))}")
        if record.sample is not None:
            self.say(*(f"  | {line}" for line in record.sample.split("\n")))
        if self.terminal:
            self.bar.set_postfix_str(self._postfix(record), refresh=False)
            self.bar.update(min(1.0, self.trainer.progress.share()) - self.bar.n)

    def _postfix(self, record: Record) -> str:
        """Returns what stands behind the bar: losses first."""
        parts = [f"loss {nats(record)}"]
        if self.losses:
            parts.append(f"validation {self.losses[-1]:.4f}")
        parts += [f"{record.chars_per_s:,.0f} chars/s", f"iteration {record.iteration:,}"]
        return f" {fitting(parts)}"

    def _sparkline(self, record: Record, taken: int) -> str:
        """Returns the course of the validation loss as bars, on a terminal that has them, and room beside a line."""
        if not self.terminal or record.val_nats is None:
            return ""
        self.losses.append(record.val_nats)
        width = columns()
        room = width - taken % width - 3  # a line that is too long goes on in the next
        bars = sparkline(self.losses, sys.stderr.encoding, min(room, WIDTH)) if room >= LEAST else ""
        return f"  {bars}" if bars else ""

    def _before(self) -> list[float]:
        """Returns the validation losses of a run that is resumed."""
        from charrnn.reporting.history import History
        from charrnn.runs.places import METRICS

        with contextlib.suppress(OutputError):
            return [loss for _, loss in History.read(self.trainer.directory.path / METRICS).points("val_nats")]
        return []

    def _judged(self, record: Record) -> str:
        """Shows all scores, with a star if they are the best so far; nothing where there are none."""
        if record.scores is None:
            return ""
        run = self.trainer.run
        better = record.scores[run.task.measure] == run.best
        others = "".join(f"  {name} {score:.4f}" for name, score in record.scores.items() if name != "nats")
        return f"  validation {record.scores['nats']:.4f}{others}{' *' if better else ''}"


def nats(record: Record) -> str:
    """Shows the training loss; a dash where all batches were skipped."""
    return "-" if record.train_nats is None else f"{record.train_nats:.4f}"
