"""Programs that a launcher starts as several ranks, where there is one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driving import inheriting


def _launcher() -> str | None:
    """The `mpiexec` beside this Python, or the system's; of MPICH, as Open MPI's starts neither as root nor many."""
    near = Path(sys.executable).with_name("mpiexec")
    found = str(near) if near.exists() else shutil.which("mpiexec")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    return found if "HYDRA" in said else None


MPIEXEC = _launcher()

needs_ranks = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason="needs mpi4py and MPICH: pip install mpi4py mpich",
)

RANK = (
    "import os, sys\n"
    "open(f\"pid-{os.environ['PMI_RANK']}\", 'w').write(str(os.getpid()))\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
)
"""What a rank is at first: it leaves the number of its process, and becomes what it was to be."""


def ranks(count: int, *words: object, cwd: Path, wait: bool = True) -> Any:
    """Starts `python WORDS` as so many ranks. Returns the ended process with what it printed, or the running one."""
    command = [str(MPIEXEC), "-n", str(count), sys.executable, "-c", RANK, *map(str, words)]
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "CHARRNN_CACHE": str(cwd / "cache")}
    given: dict[str, Any] = {"cwd": cwd, "env": env, "stdin": subprocess.DEVNULL, "text": True}
    if wait:
        return subprocess.run(command, capture_output=True, timeout=120, check=False, **given)
    with inheriting():
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given)
