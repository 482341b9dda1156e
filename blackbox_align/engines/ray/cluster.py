"""Where workers run: the user's Ray cluster, or a small one of our own that lives as long as a run."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ...errors import MissingDependencyError, RunError, SpecificationError

_CONNECT_SECONDS = 5.0
_LONGEST_FOLDER = 30  # of 107 characters that a socket's path may have, Ray needs 75


@dataclass(frozen=True)
class Workers:
    """How many workers ask the model, and where; nothing here changes what they answer.

    Parameters
    ----------
    count : processes with a model each; None is as many as the cluster has room for, also as it grows
    address : of a running Ray: ``auto`` for the one on this machine, or ``HOST:PORT``. None starts one
        here, which ends with the run
    gpus : GPUs per worker, a fraction to share one; None is one each where the cluster has any
    """

    count: int | None = None
    address: str | None = None
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise SpecificationError(f"There must be 1 worker or more; not {self.count}.")
        if self.gpus is not None and (self.gpus < 0 or (self.gpus > 1 and self.gpus % 1)):
            raise SpecificationError(
                f"GPUs per worker must be a share of one, such as 0.5, or a whole number; "
                f"not {self.gpus:g}."
            )


@contextmanager
def connected(workers: Workers) -> Iterator[Any]:
    """The module ``ray``, connected; a connection made before is used and left as it is.

    Raises
    ------
    MissingDependencyError
        Ray is not installed.
    RunError
        No Ray answers at the address, or it does not fit with the one installed here.
    """
    # What Ray tells of dying workers would go to stdout, among the results; the pool says it itself.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
    try:
        import ray
    except ImportError:
        raise MissingDependencyError("ray", "Asking on several workers") from None
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if workers.address is None:
        # Ray reports its use to its makers by default; a survey is nobody else's business.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Its workers give way to everybody by default: on a busy machine a fit would not get its turn.
        os.environ.setdefault("RAY_worker_niceness", "0")
        cpus = max(workers.count or 1, usable_cpus())
        quiet |= {"address": "local", "num_cpus": cpus, "include_dashboard": False}
        if short := _short_folder():
            quiet |= {"_temp_dir": short}
    else:
        _refuse_silence(workers.address)
        quiet |= {"address": workers.address}
    try:
        ray.init(**quiet)
    except Exception as error:  # Ray raises a dozen kinds, and a bare RuntimeError for most
        where = "on this machine" if workers.address in (None, "auto") else f"at {workers.address}"
        reason = " ".join(str(error).split())[:300]
        raise RunError(
            f"There is no Ray {where} to work with ({reason}). Start one with `ray start --head`, "
            "correct --ray-address, or leave it out to use this machine alone."
        ) from error
    try:
        with _terminated_like_interrupted():
            yield ray
    finally:
        ray.shutdown()  # of a cluster that is not ours this is only the connection


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM, which a batch system sends, be what Ctrl-C is: workers are ended and status is told.

    Whoever handles it already goes on doing so; outside the main thread signals cannot be caught.
    """
    usual = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    if not main or usual is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda signum, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


def usable_cpus() -> int:
    """The CPUs that this process may use: by affinity, by the quota of its control group, by SLURM."""
    known = (
        [len(psutil.Process().cpu_affinity())] if hasattr(psutil.Process, "cpu_affinity") else []
    )
    known += [os.cpu_count() or 1]
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        if (given := os.environ.get(name, "")).isdigit():
            known.append(int(given))
            break
    known += quotas()
    return max(1, min(known))


def quotas(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> list[int]:
    """The CPUs that the control group of this process, and those it lies in, may use; none without quotas.

    Both versions of control groups are read; in a container the own group is the root of what is seen.
    """
    found = []
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            root = groups / "cpu" if controllers else groups
            own_group = root / path.lstrip("/")
            for folder in {own_group, *own_group.parents, root}:
                with suppress(OSError, ValueError):
                    quota, period = (folder / "cpu.max").read_text().split()
                    found.append(int(quota) // int(period))  # "max" without a quota
                with suppress(OSError, ValueError):
                    most = int((folder / "cpu.cfs_quota_us").read_text())  # -1 without a quota
                    every = int((folder / "cpu.cfs_period_us").read_text())
                    found += [most // every] if most > 0 else []
    return found


def _short_folder() -> str | None:
    """A folder for Ray's sockets where the usual one has a longer name than a socket may have."""
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(usual) <= _LONGEST_FOLDER or not os.access("/tmp", os.W_OK):
        return None
    folder = tempfile.mkdtemp(prefix="bbalign-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _refuse_silence(address: str) -> None:
    """Knock at ``HOST:PORT``: Ray itself would knock for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        if address not in ("auto", "local"):
            raise SpecificationError(
                f"The address of a Ray cluster is 'auto' or HOST:PORT; not {address!r}."
            )
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise RunError(
            f"No Ray cluster answers at {address} ({error}). Check host and port; "
            "on the cluster, `ray status` tells whether it runs."
        ) from error
