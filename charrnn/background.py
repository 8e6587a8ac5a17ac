"""A thread that does one thing after another while this one goes on; without a thread, where none can be started."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self


class Background:
    """Runs what it is given beside this thread, in order. Where the system allows no thread, it runs it at once."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool:
            self._pool.shutdown()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begins a call, and returns what will have its result."""
        if self._pool:
            try:
                return self._pool.submit(function, *arguments)
            except RuntimeError:  # no thread; the pool keeps the call, and must never come to do it
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done
