"""The desk: requests are handed to the engine's running batch, and followed from an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from ..engines.base import Piece, Reply, Request, Text
from ..engines.local.engine import LocalEngine
from ..palette.palette import Palette
from .limits import Limits
from .refusals import Refusal, refusal_of
from .roster import COMMITTEE, MIXTURES, Roster

T = TypeVar("T")


class Desk:
    """An engine, its experts, and how much of it is taken.

    ``rows`` are those of all texts under way, a voice of a text each; ``palette`` is that whose colours the
    experts are, if they are.
    """

    def __init__(
        self, engine: LocalEngine, roster: Roster, limits: Limits, palette: Palette | None = None
    ) -> None:
        self.engine, self.roster, self.limits, self.palette = engine, roster, limits, palette
        self.rows = 0
        self._lock = threading.Lock()

    @property
    def mixtures(self) -> tuple[str, ...]:
        """The models that are several experts."""
        return MIXTURES if self.palette is not None else (COMMITTEE,)

    def take(self, rows: int) -> None:
        """Rows are taken; :class:`Refusal` where they are too many for now (429), or ever (400)."""
        most = self.limits.rows
        if rows > most:
            raise Refusal(
                400, f"This asks for {rows} texts at once, a voice of a text each; at most {most} are "
                "written here. Ask for fewer.", code="too_many_texts",
            )  # fmt: skip
        with self._lock:
            if self.rows + rows > most:
                raise Refusal(
                    429, f"{self.rows} of {most} texts are being written, and this asks for {rows} more; "
                    "ask again soon.", code="too_many_requests",
                )  # fmt: skip
            self.rows += rows

    def give_back(self, rows: int) -> None:
        with self._lock:
            self.rows -= rows

    def submit(self, requests: Sequence[Request]) -> list[Reply]:
        """All of them join the running batch, or none does."""
        self.take(sum(len(request.voices) for request in requests))
        replies: list[Reply] = []
        for number, request in enumerate(requests):
            try:
                reply = self.engine.submit(request)
            except BaseException:
                self.give_back(sum(len(rest.voices) for rest in requests[number:]))
                for begun in replies:
                    begun.cancel()
                raise
            reply.follow(_once(reply, partial(self.give_back, len(request.voices))))
            replies.append(reply)
        return replies

    async def ask(self, job: Callable[[], T], rows: int = 1) -> T:
        """What ``job()`` gives, in a thread: something that asks the engine whole sheets."""
        self.take(rows)
        try:
            return await asyncio.wait_for(asyncio.to_thread(job), self.limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise _too_late(self.limits.seconds) from None
        finally:
            self.give_back(rows)


def _once(reply: Reply, call: Callable[[], None]) -> Callable[[], None]:
    """Calls ``call()`` when the text of ``reply`` is over, once."""
    done = False

    def look() -> None:
        nonlocal done
        if not done and reply.over:
            done = True
            call()

    return look


class Writing:
    """The texts of one HTTP request under way, in an event loop; closing cancels what is not over."""

    def __init__(self, desk: Desk) -> None:
        self._seconds = desk.limits.seconds
        self._changed = asyncio.Event()
        self._end = time.monotonic() + self._seconds
        self.replies: list[Reply] = []

    @classmethod
    async def begin(
        cls, desk: Desk, requests: Sequence[Request], *, by_piece: bool = False
    ) -> Writing:
        """All requests are handed in; :class:`Refusal` where one cannot be written, and none is.

        ``by_piece`` says that :meth:`changed` is to tell of every piece, and not of ends alone.
        """
        writing, loop = cls(desk), asyncio.get_running_loop()

        def call(reply: Reply) -> None:
            if by_piece or reply.over:
                with suppress(RuntimeError):  # the loop is closed, and nobody waits
                    loop.call_soon_threadsafe(writing._changed.set)

        try:
            # In a thread, for a chat template may take its time.
            writing.replies = await asyncio.to_thread(desk.submit, requests)
        except Exception as error:
            raise refusal_of(error) from error
        for reply in writing.replies:
            reply.follow(partial(call, reply))
        return writing

    def close(self) -> None:
        for reply in self.replies:
            reply.cancel()

    async def changed(self) -> None:
        """Waits until there is more of a text; :class:`Refusal` when the time is up."""
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, self._end - time.monotonic()))
        except (asyncio.TimeoutError, TimeoutError):
            raise _too_late(self._seconds) from None
        self._changed.clear()

    def since(self, number: int, characters: int, tokens: int) -> Piece:
        """What came of one text behind a place; :class:`Refusal` where it failed."""
        try:
            return self.replies[number].since(characters, tokens)
        except Exception as error:
            raise refusal_of(error) from error

    async def texts(self) -> list[Text]:
        """All texts, when all of them are over."""
        while not all(reply.over for reply in self.replies):
            await self.changed()
        pieces = [self.since(number, 0, 0) for number in range(len(self.replies))]
        return [piece.whole for piece in pieces if piece.whole is not None]


def _too_late(seconds: float) -> Refusal:
    return Refusal(
        504, f"It was not done within {seconds:g} seconds; ask for less.", code="timeout"
    )
