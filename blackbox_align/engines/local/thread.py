"""A thread that runs the jobs of an engine whole, one behind another, in the order of their arrival."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from ...errors import ModelError
from .threads import chosen_threads

T = TypeVar("T")
_CLOSED = "The engine was closed, so its model cannot be asked any more."


class InterruptedJobError(Exception):
    """Whoever waited for a job waits no longer; it never leaves the engine."""


class JobThread:
    """One thread; :meth:`run` may be called from any.

    A job runs with as many threads of torch as its caller has chosen, so that an answer does not depend on
    when the engine was made, and with ``threads`` where it has chosen none; ``products`` is torch's word for
    the precision in which float32 is multiplied.
    """

    def __init__(self, threads: int | None = None, products: str | None = None) -> None:
        self._own, self._products = threads, products
        self._executor = ThreadPoolExecutor(1, "blackbox_align")
        self._here: int | None = None

    @property
    def threads(self) -> int:
        """With how many threads of torch a job of this caller runs."""
        return chosen_threads() or self._own or torch.get_num_threads()

    def run(self, job: Callable[[Callable[[], None]], T]) -> T:
        """What ``job(pause)`` gives; it calls ``pause()`` between passes, where it may be left."""
        if threading.get_ident() == self._here:
            return job(lambda: None)
        left, threads = threading.Event(), self.threads

        def pause() -> None:
            if left.is_set():
                raise InterruptedJobError

        def whole() -> T:
            self._here = threading.get_ident()
            pause()
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            return job(pause)

        future = self.submit(whole)
        try:
            return future.result()
        except CancelledError:
            raise ModelError(_CLOSED) from None
        except BaseException:
            left.set()  # Ctrl-C, or the job's own error
            raise

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """``job()`` behind all that were there before."""
        try:
            return self._executor.submit(self._in_its_precision, job)
        except RuntimeError:  # after a shutdown
            raise ModelError(_CLOSED) from None

    def _in_its_precision(self, job: Callable[[], T]) -> T:
        if self._products not in (None, torch.get_float32_matmul_precision()):
            torch.set_float32_matmul_precision(self._products)
        return job()

    def close(self) -> None:
        """Ends after the job that runs now; what waits behind it is given up."""
        self._executor.shutdown(wait=threading.get_ident() != self._here, cancel_futures=True)
