"""Asking on many workers of a Ray cluster, which may come, hang and die as they like.

Candidates are cut into chunks, by their number and that of the workers asked for. A call hands a worker
one chunk, or several while plenty wait. The chunks of a worker that is lost go back to the front of the
line and the worker is replaced, so each candidate is answered once, by whichever worker gets there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import Any

import numpy as np

from ...adapters.adapter import Adapter
from ...errors import RunError
from ...surveys.sheet import Sheet
from ..base import Answers
from .cluster import Workers, connected
from .jobs import Chunk, Job
from .workers import Factory, Worker, _Process, cause_of

# After so many failures of one chunk, or failed starts in a row, the trouble is not the workers'.
FAILURES = 3
_LOAD_SECONDS = 1800.0
# A chunk may take so long at first, then so many times the slowest so far, and this at least.
_FIRST_SECONDS, _TIMES_SLOWEST, _LEAST_SECONDS = 600.0, 20.0, 60.0
_WARN_SECONDS, _ROOM_SECONDS = 20.0, 600.0  # to wait for room in a full cluster
_LOOK_SECONDS = 5.0  # between two looks for room for more
_TICK = 1.0
_SHEETS = 4
_ROUNDING = 1e-6  # of shares such as 0.2, five of which are one

OnTrouble = Callable[[str], None]


class Pool:
    """Answers with workers that each have an engine of their own.

    Use it in a ``with`` block, which ends the workers, and :meth:`load` before the first answer. NaN
    answers stay what they are: failed evaluations, no failures of workers.

    Parameters
    ----------
    workers : how many, and where
    deadline : seconds that a chunk may take; by default 20 times the slowest so far, at least 60
    on_trouble : is told, in a sentence, of every worker lost and its cause

    Raises
    ------
    RunError
        From :meth:`answer`, after :data:`FAILURES` failures of one chunk or that many failed starts
        in a row with no worker left, with the first cause.
    """

    def __init__(
        self,
        workers: Workers,
        *,
        deadline: float | None = None,
        on_trouble: OnTrouble = lambda sentence: None,
    ) -> None:
        self.workers, self.deadline, self.on_trouble = workers, deadline, on_trouble
        self.gpus = 0.0
        self._closing = ExitStack()
        self._ray: Any = None
        self._factory: Any = None
        self._team: list[Worker] = []
        self._sheets: dict[str, Any] = {}
        self._slowest: dict[str, float] = {}  # seconds per candidate, by sheet
        self._failed_starts: list[str] = []
        self._bad_nodes: set[str] = set()
        self._wanted = workers.count or 0
        self._next_look = self._next_start = 0.0
        self._last_staffed = 0.0
        self._seen_batch = self._seen_full = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the pool's life -------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect to Ray and settle ``gpus``, the GPUs of each worker; once is enough."""
        if self._ray is not None:
            return
        self._ray = self._closing.enter_context(connected(self.workers))
        self.gpus = self.workers.gpus or 0.0
        if self.workers.gpus is None:
            self.gpus = float(any(node.get("GPU", 0) >= 1 for node in self._nodes().values()))
        if not any(self._room_in(node) for node in self._nodes().values()):
            self.close()
            raise RunError(
                f"No node of the cluster has room for a worker ({self._needs()}); "
                "give --gpus-per-worker what a node has."
            )

    def load(self, factory: Factory) -> None:
        """Start workers that each call ``factory()``; does not wait for them.

        ``factory`` is pickled; what it makes stays in its worker.
        """
        self.connect()
        self._factory = self._ray.put(factory)
        self._last_staffed = time.monotonic()
        self._recruit()

    def close(self) -> None:
        """End the workers, and Ray if we started it."""
        for worker in self._team:
            with suppress(Exception):  # the cluster may be gone already
                self._ray.kill(worker.actor)
        self._team, self._ray = [], None
        self._closing.close()

    @property
    def ready(self) -> int:
        """The workers that have loaded their model."""
        return sum(worker.ready for worker in self._team)

    # -- asking ----------------------------------------------------------------------------------

    def answer(self, adapters: Sequence[Adapter], sheet: Sheet) -> Answers:
        job = Job.of(sheet.digest, adapters, self._put(sheet), self.workers.count or 0)
        if job.left > len(self._team):  # else nobody reads what others answer
            job.shared = self._ray.put(list(adapters))
        if len(adapters) > 1 and not self._seen_batch:
            self._seen_batch = True
            if job.left < len(self._team):
                self.on_trouble(
                    f"{len(adapters)} candidates at a time keep {job.left} of {len(self._team)} "
                    "workers busy; a search with larger batches, or a number of --workers, keeps more."
                )
        while job.open:
            self._recruit()
            self._hand_out(job)
            self._collect()
        return job.answers if job.parts else Answers.none(sheet)

    def _put(self, sheet: Sheet) -> Any:
        """The sheet in the object store: sent to a node once, not with every chunk."""
        if sheet.digest not in self._sheets:
            if len(self._sheets) == _SHEETS:  # the sheet of a search is asked first, and stays
                self._sheets.popitem()
            self._sheets[sheet.digest] = self._ray.put(sheet)
        return self._sheets[sheet.digest]

    def _hand_out(self, job: Job) -> None:
        """Give every idle worker its next chunks, and the others a second call while many wait.

        A call holds up to a third of a worker's share of what is left, so that one of half the
        pace has no more than it can do with two. Calls so are few while much is left, and short at
        the end, where nobody should have to wait. The second call waits in the worker's process,
        which goes on with it while we still take in the answers to the first.
        """
        ready = [worker for worker in self._team if worker.ready]
        # Until the pace is known, a worker that hangs is waited for the longest.
        paced = job.key in self._slowest
        for calls in (0, 1):
            for worker in ready:
                several = len(job.waiting) // (3 * len(ready)) if paced else 0
                if len(worker.calls) == calls and job.waiting and (several or not calls):
                    self._call(worker, job.take_out(several))

    def _call(self, worker: Worker, group: list[Chunk]) -> None:
        job, rows = group[0].job, [chunk.rows for chunk in group]
        adapters: Any = None  # what it has been told before, it keeps
        if job.shared is None:
            adapters = [adapter for piece in rows for adapter in job.adapters[piece]]
            ends = np.cumsum([0, *(piece.stop - piece.start for piece in rows)]).tolist()
            rows, worker.job = [slice(start, end) for start, end in pairwise(ends)], None
        elif worker.job is not job:
            adapters, worker.job = job.shared, job
        sheet = None if worker.sheet == job.key else job.sheet
        reference = worker.actor.answer.remote(rows, adapters, sheet)
        worker.sheet = job.key
        if not worker.calls:
            worker.since = time.monotonic()
        worker.calls[reference] = group

    def _collect(self) -> None:
        """Take what is done, and let go of workers that are past their time."""
        calls = {ref: worker for worker in self._team for ref in worker.references()}
        if not calls:
            time.sleep(_TICK)
            return
        done, _ = self._ray.wait(list(calls), num_returns=1, timeout=_TICK)
        if done:
            done, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        finished = set(done)
        for ref, worker in calls.items():  # in the order in which a worker was called
            if ref in finished and worker in self._team:  # and not lost a moment ago
                self._take(worker, ref)
        now = time.monotonic()
        for worker in list(self._team):
            limit = self._limit(worker)
            if now - worker.since > limit:
                doing = "answered" if worker.ready else "loaded its model"
                self._lose(worker, f"it has not {doing} in {limit:.0f} seconds")

    def _take(self, worker: Worker, ref: Any) -> None:
        try:
            value = self._ray.get(ref, timeout=_LEAST_SECONDS)
        except self._ray.exceptions.RayError as error:
            self._lose(worker, cause_of(error))
            return
        now = time.monotonic()
        if ref == worker.placing:
            worker.placing = None
            worker.node, worker.name = value
        elif ref == worker.loading:
            worker.loading = None
            self._failed_starts.clear()
        else:
            group, (done, failed) = worker.calls[ref], value
            job = group[0].job
            for chunk, answers in zip(group, done, strict=False):
                job.take_in(chunk, answers)
            if failed is not None:
                worker.calls[ref] = group[len(done) :]
                self._lose(worker, failed)
                return
            del worker.calls[ref]
            per_candidate = (now - worker.since) / sum(map(len, done))
            self._slowest[job.key] = max(per_candidate, self._slowest.get(job.key, 0.0))
        worker.since = now

    def _limit(self, worker: Worker) -> float:
        """Seconds that the worker may take for what it is at."""
        if worker.placing:
            return float("inf")
        if worker.loading:
            return _LOAD_SECONDS
        if not (group := worker.at):
            return float("inf")
        if self.deadline is not None:
            return self.deadline * len(group)
        slowest = self._slowest.get(group[0].job.key)
        if slowest is None:
            return _FIRST_SECONDS
        candidates = sum(chunk.rows.stop - chunk.rows.start for chunk in group)
        return max(_LEAST_SECONDS, _TIMES_SLOWEST * slowest * candidates)

    def _lose(self, worker: Worker, cause: str) -> None:
        """Let go of a worker; what it had is asked elsewhere. Raises after too many failures."""
        self._team.remove(worker)
        self._ray.kill(worker.actor)
        if not worker.ready:
            if cause not in self._failed_starts:  # a hundred workers may say the same
                self.on_trouble(f"The worker {worker.name} could not be started: {cause}.")
            self._failed_starts.append(cause)
            self._next_start = time.monotonic() + 2.0 ** min(len(self._failed_starts) - 1, 6)
            if worker.node:
                self._bad_nodes.add(worker.node)
            return
        self.on_trouble(
            f"The worker {worker.name} was lost: {cause}. Others take over what it had."
        )
        for chunk in reversed([chunk for group in worker.calls.values() for chunk in group]):
            chunk.job.waiting.appendleft(chunk)
        for chunk in worker.at:  # what waited behind it is not to blame
            chunk.causes.append(cause)
            if len(chunk.causes) == FAILURES:
                raise RunError(
                    f"{FAILURES} workers failed at the same candidates; the first time: "
                    f"{chunk.causes[0]}. Nothing is lost; mend the cause and run the same "
                    "command again."
                )

    # -- staff -----------------------------------------------------------------------------------

    def _recruit(self) -> None:
        """Start the workers that are missing, if there is room for them and hope."""
        now = time.monotonic()
        if any(not worker.placing for worker in self._team):
            self._last_staffed = now
        elif self._team and now - self._last_staffed > _WARN_SECONDS:
            self._wait_for_room(now - self._last_staffed)
        hopeless = len(self._failed_starts) >= FAILURES and not any(w.ready for w in self._team)
        if hopeless and not self._team:
            raise RunError(
                f"No worker can be started; the first that failed said: {self._failed_starts[0]}. "
                "Nothing is lost; mend the cause and run the same command again."
            )
        if hopeless or now < self._next_start:
            return
        if self._bad_nodes and self._bad_nodes.issuperset(self._nodes()):
            self._bad_nodes.clear()  # there is no other to go to
        if self.workers.count is None and now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self._wanted = self._room()
        for _ in range(self._wanted - len(self._team)):
            self._team.append(self._start())

    def _start(self) -> Worker:
        options: dict[str, Any] = {"num_cpus": 1, "num_gpus": self.gpus}
        if self._bad_nodes:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._bad_nodes)})"}
        actor = self._ray.remote(_Process).options(**options).remote()
        return Worker(actor, actor.where.remote(), actor.load.remote(self._factory))

    def _wait_for_room(self, seconds: float) -> None:
        """All workers wait for a place; say so, and give up after a while."""
        if not self._seen_full:
            self._seen_full = True
            self.on_trouble(f"Waiting until the cluster has room for a worker ({self._needs()}).")
        if seconds > _ROOM_SECONDS:
            raise RunError(
                f"The cluster had no room for a worker ({self._needs()}) in {seconds:.0f} seconds. "
                "Nothing is lost; run the same command again when there is room."
            )

    def _room(self) -> int:
        """How many workers fit into the cluster beside what others have in it."""
        free = self._room_in(self._ray.available_resources())
        waiting = sum(bool(worker.placing) for worker in self._team)
        good = [node for name, node in self._nodes().items() if name not in self._bad_nodes]
        most = sum(self._room_in(node) for node in good)
        return max(min(len(self._team) - waiting + free, most), 1)

    def _room_in(self, resources: dict[str, float]) -> int:
        room = resources.get("CPU", 0.0)
        if self.gpus:
            room = min(room, _shares(resources.get("GPU", 0.0), self.gpus))
        return int(room)

    def _nodes(self) -> dict[str, dict[str, float]]:
        """The resources of the nodes that are up, by their id."""
        return {node["NodeID"]: node["Resources"] for node in self._ray.nodes() if node["Alive"]}

    def _needs(self) -> str:
        return "1 CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")


def _shares(gpus: float, each: float) -> int:
    """How many workers of ``each`` GPUs fit on ``gpus``; a share does not lie across two of them."""
    if each >= 1:
        return int(gpus / each + _ROUNDING)
    whole = math.floor(gpus + _ROUNDING)
    per_gpu, rest = int(1 / each + _ROUNDING), int((gpus - whole) / each + _ROUNDING)
    return whole * per_gpu + rest
