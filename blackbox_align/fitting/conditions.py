"""The conditions under which a run is worked on: no settings, yet the last bits depend on them."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..version import __version__

_PACKAGES = ("numpy", "scipy", "torch", "transformers", "peft", "cma", "nevergrad", "ray")
_WORDS = {
    "threads": "threads of torch",
    "cpu": "kind of CPU",
    "capability": "CPU instructions",
    "device": "device",
    "workers": "workers",
    "host": "machine",
}


def versions() -> dict[str, str]:
    """The versions of all that a result depends on; a package that is not installed is left out."""
    return dict(_versions())


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Read once: what is imported does not change under a process."""
    found = {"blackbox_align": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def conditions(
    device: str, workers: Mapping[str, Any] | None, threads: int | None = None
) -> dict[str, Any]:
    """What holds for this process now; ``device`` is where the model is, which ``threads`` ask."""
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "cpu": f"{platform.machine()} {_cpu_model()}".strip(),
        "device": device,
        "workers": None if workers is None else dict(workers),
        "versions": versions(),
    }
    if "torch" in sys.modules:  # else no model was asked, and it does not matter
        import torch

        found["threads"] = threads or torch.get_num_threads()
        found["capability"] = torch.backends.cpu.get_cpu_capability()
    return found


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is other now, in words; nothing where the bits should be the same."""
    parts = []
    for key, word in _WORDS.items():
        # Another machine of the same kind gives the same bits; workers have a thread each.
        if key == "host" or then.get(key) == now.get(key):
            continue
        if key == "workers":
            before, after = (_count(one.get(key)) for one in (then, now))
            if before != after:
                parts.append(f"{word}: {before} then, {after} now")
            continue
        parts.append(f"{word}: {then.get(key)} then, {now.get(key)} now")
    old, new = then.get("versions") or {}, now.get("versions") or {}
    parts += [
        f"{name} {old.get(name, 'missing')} then, {new.get(name, 'missing')} now"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return "; ".join(parts)


def process() -> dict[str, Any]:
    """This process, so that others can tell whether it is still there."""
    import psutil

    return {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "host": socket.gethostname(),
    }


def is_gone(owner: Mapping[str, Any] | None) -> bool:
    """Whether the process that :func:`process` described is gone; False where one cannot know."""
    if not owner or owner.get("host") != socket.gethostname():
        return not owner
    import psutil

    try:
        found = psutil.Process(int(owner["pid"]))
        # A number is given again: only with the time of its start is it that process.
        same = abs(found.create_time() - float(owner["started"])) < 1.0
        return not same or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def _count(workers: Mapping[str, Any] | None) -> str:
    return "none" if workers is None else str(workers.get("count") or "auto")


def _cpu_model() -> str:
    with suppress(OSError), Path("/proc/cpuinfo").open(errors="replace") as file:
        for line in file:
            if line.startswith(("model name", "CPU part")):
                return " ".join(line.partition(":")[2].split())
    return platform.processor()
