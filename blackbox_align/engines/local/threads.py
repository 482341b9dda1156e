"""How many threads a model is asked with, where nobody has chosen."""

from __future__ import annotations

import os
from typing import Any

import torch

from ..checkpoint import LanguageModel
from ..ray.cluster import usable_cpus

# Below so many parameters in its layers a product is done before a second thread has begun: on a machine
# that others use as well, waiting for one another is most of what several threads do.
_SMALL = 1_000_000
_CHOICES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def own_threads(model: Any) -> int:
    """One for a small model, else as many as this process may use: its affinity, its control group."""
    layers = (p for name, p in model.named_parameters() if p.ndim > 1 and "embed" not in name)
    head = model.get_output_embeddings().weight
    inner = sum(part.numel() for part in layers if part is not head)
    return 1 if inner < _SMALL else usable_cpus()


def products_of(model: LanguageModel) -> str | None:
    """How a GPU multiplies float32, in torch's words; None on a CPU, where nobody is told.

    It is a setting of the whole process, so every job of an engine begins by setting its own.
    """
    if model.device.type != "cuda":
        return None
    return "high" if model.tf32 else "highest"


def chosen_threads() -> int | None:
    """What the calling thread has chosen by the environment or of torch; None where it has not."""
    threads = torch.get_num_threads()
    can_tell = hasattr(os, "sched_getaffinity")
    default = len(os.sched_getaffinity(0)) if can_tell else os.cpu_count() or 1
    chosen = any(name in os.environ for name in _CHOICES) or threads != default
    return threads if chosen else None
