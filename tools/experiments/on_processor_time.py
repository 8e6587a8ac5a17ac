"""Runs a command of charrnn in whose run each second is one of the processor's: what others do here takes none away.

    python tools/experiments/on_processor_time.py train harbour --time-budget 30s --set train.threads=1

It is for experiments that train several recipes at once, on one core each, and compare them after equal time.
"""

from __future__ import annotations

import time
import types

from charrnn.cli.main import main
from charrnn.training import metrics

if __name__ == "__main__":
    # the clock of a run is read in that module alone
    metrics.time = types.SimpleNamespace(monotonic=time.process_time)  # type: ignore[assignment]
    main()
