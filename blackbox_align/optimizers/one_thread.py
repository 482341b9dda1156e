"""Linear algebra on one thread, for products too small to gain from more.

On a machine whose cores are busy the threads of a BLAS wait for each other at every small product: in 20,480
dimensions a search took 253 ms of its own an evaluation on two threads where it took 40 on one, both on two
cores that others were using. The bits of a search are then the same for any number of threads, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    """The BLAS of numpy and scipy, which are there by now; to find them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


def on_one_thread(function: Callable[P, T]) -> Callable[P, T]:
    """``function`` with the threads of BLAS limited to one while it runs.

    The number is the whole process's; of two threads that limit it at once threadpoolctl, from 3.8 on, lets
    one put back what it found.
    """

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with _libraries().limit(limits=1):
            return function(*args, **kwargs)

    return limited
