"""The run of a combination as a process: `charrnn train`, which ends with the process that started it.

Its standard input is a pipe: each byte in it asks the run to save and go on. When the pipe ends, because it was closed
or because whoever held the other end has died, however that was, the run saves and stops (see `charrnn.cli.child`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charrnn import cores
from charrnn.errors import OutputError
from charrnn.files import as_output_error, make_directory
from charrnn.runs.places import LOG

CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from charrnn.cli.child import main; main()"
"""What the process runs: it imports from where this one does, and not first from the directory that it happens to be
in, in which a `json.py` may stand beside the text."""

PATIENCE = 60
"""Seconds that a process is given to save and stop, when it was left."""

ERROR = re.compile(r"^charrnn: error: (.+)$", re.MULTILINE)

GROUP: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
"""The terminal's Ctrl-C is for us, who pass it on; in our session still, so that `nice` and `nohup` mean all."""


class Child:
    """Trains a run from its creation on; what it says is added to the log in its directory."""

    def __init__(self, words: Sequence[str], place: Path, threads: int) -> None:
        """`words` are what stands behind `charrnn`. Raises OutputError where nothing can be started or written."""
        with as_output_error(place):
            make_directory(place)
            self.log = place / LOG
            with open(self.log, "ab") as log:
                self._from = log.tell()
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-c", CHILD, json.dumps(sys.path), *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=cores.environment_of(threads),
                    **GROUP,
                )

    def ended(self) -> bool:
        """Tells whether the process has ended."""
        return self.process.poll() is not None

    @property
    def code(self) -> int:
        """The exit code of a process that has ended; where a signal killed it, that of an error of the system."""
        code = self.process.returncode
        return OutputError.exit_code if code < 0 else code

    @property
    def was_stopped(self) -> bool:
        """Whether the process has ended as `stop` asked it to."""
        return self.process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)

    def reason(self) -> str:
        """Says in one line why the process has failed."""
        code = self.process.returncode
        if code < 0:
            return f"ended by {signal.Signals(-code).name}, perhaps for want of memory"
        with contextlib.suppress(OSError), open(self.log, "rb") as log:
            log.seek(self._from)
            if told := ERROR.findall(log.read().decode("utf-8", "replace")):
                return " | ".join(told)
        return f"ended with the exit code {code}; {self.log} has what it said"

    def save(self) -> None:
        """Asks the process to save and go on."""
        assert self.process.stdin, "it is a pipe"
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"s")
            self.process.stdin.flush()

    def stop(self) -> None:
        """Asks the process to save and stop."""
        with contextlib.suppress(OSError):
            self.process.terminate()

    def kill(self) -> None:
        """Ends the process at once; what it has saved before is whole."""
        with contextlib.suppress(OSError):
            self.process.kill()

    def close(self) -> None:
        """Ends the process if it has not ended, and does not come back before."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.process.communicate(timeout=PATIENCE)  # closes its pipe, which ends it
            return
        self.process.kill()
        self.process.wait()
