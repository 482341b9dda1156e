"""A worker: what runs in its process, and what the driver knows of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...adapters.adapter import Adapter
from ...surveys.sheet import Sheet
from ..base import Answers, Engine
from .jobs import Chunk, Job

Factory = Callable[[], Engine]


class _Process:
    """What runs in a worker's own process."""

    def where(self) -> tuple[str, str]:
        """The id of its node, and its name for people."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return node, f"{os.getpid()} on {socket.gethostname()}"

    failed: str | None

    def load(self, factory: Factory) -> None:
        self.engine, self.failed = factory(), None
        self.adapters: Any = None
        self.sheet: Any = None

    def answer(
        self, rows: list[slice], adapters: list[Adapter] | None = None, sheet: Sheet | None = None
    ) -> tuple[list[Answers], str | None]:
        """Answers to each piece of the adapters, up to one that fails, and why that failed.

        Without ``adapters``, or without a ``sheet``, they are those of the call before.
        """
        adapters = self.adapters = self.adapters if adapters is None else adapters
        sheet = self.sheet = self.sheet if sheet is None else sheet
        answers: list[Answers] = []
        if self.failed is not None:  # what waited behind it is asked elsewhere
            return answers, self.failed
        for piece in rows:
            try:
                answers.append(self.engine.answer(adapters[piece], sheet))
            except Exception as error:  # what was done before it is not asked again
                self.failed = said(f"{type(error).__name__}: {error}")
                return answers, self.failed
        return answers, None


@dataclass(eq=False)
class Worker:
    """A worker as the driver sees it: the calls that it has not answered yet, and their chunks.

    ``job`` is the one whose prompts it holds, ``sheet`` the digest of the one that it holds.
    """

    actor: Any
    placing: Any
    loading: Any
    calls: dict[Any, list[Chunk]] = field(default_factory=dict)
    job: Job | None = None
    sheet: str = ""
    node: str = ""
    name: str = "that has no place yet"
    since: float = 0.0  # when it began what it is at

    @property
    def ready(self) -> bool:
        return not self.placing and not self.loading

    @property
    def at(self) -> list[Chunk]:
        """What it is answering: the chunks of the first of its calls."""
        return next(iter(self.calls.values()), [])

    def references(self) -> Iterator[Any]:
        yield from (ref for ref in (self.placing, self.loading, *self.calls) if ref)


# What Ray says, at length, of a worker's death; the first that fits.
_DEATHS = {
    "running low on memory": "its node ran out of memory, and Ray killed it",
    "node has died": "its node is gone",
    "node was terminated": "its node is gone",
    "process has died": "its process died; it was killed, perhaps for want of memory, or it crashed",
    "is unavailable": "it cannot be reached; its process, its node or the network is gone",
}


def cause_of(error: Exception) -> str:
    """Why a call failed, in a phrase: what the worker raised, or how it died."""
    raised = getattr(error, "cause", None)
    text = str(error) if raised is None else f"{type(raised).__name__}: {raised}"
    if raised is None:
        for sign, phrase in _DEATHS.items():
            if sign in text:
                return phrase
    if "Traceback" in text or "traceback" in text:  # its last line says what went wrong
        text = text.strip().splitlines()[-1]
    return said(text)


def said(text: str) -> str:
    """What an error said, as a phrase."""
    return " ".join(text.split())[:300].rstrip(".")
