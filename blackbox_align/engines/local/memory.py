"""The memory of the device that a model is on: how much is left, and keeping what was had."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import cache

import psutil
import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of malloc.h
_MOST = 2**31 - 1


@cache
def keep_freed_memory() -> None:
    """Let the C library keep large blocks that are freed, for as long as the process lives.

    By default glibc hands a large block back to the kernel as soon as it is freed, and the next one
    comes page by page, filled with zeros: a quarter of the time of a pass on the CPU. What a
    process holds at its peak stays the same. Other C libraries are left alone.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_MAX, 0)
            library.mallopt(_M_TRIM_THRESHOLD, _MOST)
            # Threads that begin from now on share the one arena that grows without bounds: in an arena
            # of its own, a thread's blocks of more than 64 MB would be mapped and freed each time.
            library.mallopt(_M_ARENA_MAX, 1)


def free_memory(device: torch.device) -> int:
    """Bytes that can be had on a device now, with what torch keeps of a GPU without using it."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, as torch or the system says it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    signs = ("out of memory", "can't allocate memory", "not enough memory")
    return any(sign in str(error).casefold() for sign in signs)
