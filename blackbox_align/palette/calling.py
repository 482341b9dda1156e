"""Many calls to a chat model: several at once, each finished one kept, none beyond a cap.

A call goes again after trouble that may pass (too many requests, a server's error, a blank or broken
answer), with longer and longer pauses, or as the server asks. One that never comes is given up: the others
go on, and the next run asks for it again.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..engines.chat import NOTHING, Chat, NoAnswer, Said
from ..errors import BlackboxAlignError, ModelError, SpecificationError
from .calls import Call, CallJournal
from .steps import Synthesizer

_MOST_BUSY = 30  # times that a server may say of one call that it is asked too much
_LONGEST_PAUSE = 60.0
_IN_A_ROW = 10  # calls given up one after another: nothing will come of the rest
_SAFE = 1.1  # over the most tokens a byte that were seen
_OVERHEAD = 64  # tokens around a message
_ENOUGH = 10  # finished calls, from which a token's bytes are known


@dataclass(frozen=True)
class Price:
    """Of a million tokens read and written, in any currency."""

    read: float
    written: float

    def of(self, read: int | float, written: int | float) -> float:
        return (self.read * read + self.written * written) / 1e6


@dataclass(frozen=True)
class Caps:
    """What all calls of a folder may amount to, those of earlier runs included; None is no cap.

    ``requests`` counts every time that the model is asked, in vain or not; ``tokens`` are those read and
    written, with calls whose cost nobody knows at their most; ``cost`` needs a ``price``.
    """

    requests: int | None = None
    tokens: int | None = None
    cost: float | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        if self.cost is not None and self.price is None:
            raise SpecificationError("A cap on the cost needs the prices of a million tokens.")
        for name, value in (
            ("requests", self.requests), ("tokens", self.tokens), ("cost", self.cost),
        ):  # fmt: skip
            if value is not None and not value > 0:
                raise SpecificationError(f"A cap on {name} is above 0; not {value}.")

    def over(self, requests: int, read: int, written: int) -> str:
        """Which cap so much lies over, in words; empty where it lies over none."""
        cost = self.price.of(read, written) if self.price else 0.0
        for name, value, cap in (
            ("requests", requests, self.requests),
            ("tokens", read + written, self.tokens),
            ("of cost", cost, self.cost),
        ):
            if cap is not None and value > cap:
                return f"the cap of {cap:,} {name}"
        return ""


@dataclass(frozen=True)
class Patience:
    """How calls are made: ``together`` at once; ``tries`` for each; ``pause`` seconds before the second."""

    together: int = 4
    tries: int = 6
    pause: float = 1.0

    def __post_init__(self) -> None:
        if not (1 <= self.together <= 1000 and self.tries >= 1 and self.pause >= 0):
            raise SpecificationError(
                "1 to 1000 calls are made at once, each tried once or more, with pauses of 0 s or more; "
                f"not {self.together}, {self.tries} and {self.pause:g}."
            )


@dataclass(frozen=True)
class Ended:
    """Why calls ended: all were made (``why`` empty), a cap, or trouble; and those given up, with causes."""

    why: str = ""
    given_up: tuple[tuple[Call, str], ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class _Outcome:
    call: Call
    given_up: str = ""
    ends: str = ""


class Caller:
    """Asks a chat model, several calls at once, and keeps what comes in a journal."""

    def __init__(
        self, chat: Chat, journal: CallJournal, most: int, caps: Caps, patience: Patience
    ) -> None:
        self.chat, self.journal, self.caps, self.patience = chat, journal, caps, patience
        self.most = most
        self._changed = threading.Condition()
        self._stopped = False
        self._not_before = 0.0
        self._per_byte = [
            entry["read"] / entry["bytes"]
            for entry in journal.finished.values()
            if entry.get("bytes")
        ]

    def run(self, plan: Synthesizer, on_call: Callable[[Call], None] = lambda call: None) -> Ended:
        """Makes all calls of a plan, the first in order first.

        Ctrl-C lets those under way come to their end, for they may be paid for; a second one leaves them.
        """
        ready = list(plan.ready())
        heapq.heapify(ready)
        opened = {call.place for call in ready}
        outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        under_way = row = 0
        given_up: list[tuple[Call, str]] = []
        why, interrupted = "", False
        while under_way or (ready and not why):
            try:
                while ready and not why and under_way < self.patience.together:
                    call = heapq.heappop(ready)
                    under_way += 1
                    threading.Thread(
                        target=lambda one=call: outcomes.put(self._outcome(one)), daemon=True
                    ).start()
                found = outcomes.get()
            except KeyboardInterrupt:
                if interrupted:
                    raise
                why, interrupted = "interrupted", True
                self._stop()
                continue
            under_way -= 1
            if found.ends:
                why = why or found.ends
                self._stop()
            elif found.given_up:
                given_up.append((found.call, found.given_up))
                row += 1
                if row >= _IN_A_ROW:
                    why = why or f"{row} calls in a row came to nothing, the last: {found.given_up}"
                    self._stop()
            else:
                row = 0
                # Two that open the same calls may both be finished before either is seen here.
                for call in plan.after(found.call):
                    if call.place not in opened:
                        opened.add(call.place)
                        heapq.heappush(ready, call)
                on_call(found.call)
        return Ended(why, tuple(given_up), interrupted)

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _outcome(self, call: Call) -> _Outcome:
        try:
            return self._asked(call)
        except BlackboxAlignError as error:
            return _Outcome(call, ends=str(error).rstrip("."))
        except BaseException as error:  # whatever it is, the others have to hear of it
            return _Outcome(call, ends=f"{type(error).__name__}: {error}")

    def _asked(self, call: Call) -> _Outcome:
        """One call until it is finished, given up, or all are to end."""
        tries = busy = 0
        size = len(call.prompt.encode("utf-8", "replace"))
        while True:
            ends = self._begin(call, size)
            if ends:
                return _Outcome(call, ends=ends)
            began = time.monotonic()
            try:
                said = self.chat.say(call.prompt, self.most, int(call.key[:8], 16))
                if not said.text:
                    raise NoAnswer("the answer is blank", cost=(said.read, said.written))
            except NoAnswer as trouble:
                self._fail(call, trouble)
                busy, tries = busy + trouble.busy, tries + (not trouble.busy)
                if not trouble.again or tries >= self.patience.tries or busy >= _MOST_BUSY:
                    return _Outcome(call, given_up=trouble.why)
                self._pause(trouble, tries + busy)
            except ModelError:
                with self._changed:
                    self.journal.fail(call.key, "refused", NOTHING)
                    self._changed.notify_all()
                raise
            else:
                self._finish(call, said, size, time.monotonic() - began)
                return _Outcome(call)

    def _begin(self, call: Call, size: int) -> str:
        """Writes down that a call is asked, when there is room for it; else why all are to end."""
        with self._changed:
            while not self._stopped:
                pause = self._not_before - time.monotonic()
                read, journal = self._most_read(size), self.journal
                over = self.caps.over(
                    journal.requests + 1, journal.read + read, journal.written + self.most
                )
                if pause > 0:
                    self._changed.wait(pause)
                elif not over:
                    journal.begin(call.key, read, self.most)
                    return ""
                elif not journal.under_way:
                    return f"{over} leaves no room for another call"
                else:  # what is under way mostly costs less than it may
                    self._changed.wait()
        return "stopped"

    def _most_read(self, size: int) -> int:
        """The most tokens that so many bytes have been: none is less than a byte."""
        known = len(self._per_byte) >= _ENOUGH
        ratio = min(1.0, _SAFE * max(self._per_byte)) if known else 1.0
        return int(ratio * size) + _OVERHEAD

    def _fail(self, call: Call, trouble: NoAnswer) -> None:
        with self._changed:
            self.journal.fail(call.key, trouble.why, trouble.cost)
            self._changed.notify_all()

    def _finish(self, call: Call, said: Said, size: int, seconds: float) -> None:
        with self._changed:
            self.journal.finish(
                call.key, **dict(call.about), text=said.text, read=said.read, written=said.written,
                cut=said.cut, counted=said.counted, bytes=size, seconds=round(seconds, 3),
            )  # fmt: skip
            self._per_byte.append(said.read / max(size, 1))
            self._changed.notify_all()

    def _pause(self, trouble: NoAnswer, times: int) -> None:
        """Waits before a call goes again; where the server is asked too much, all wait."""
        own = min(_LONGEST_PAUSE, self.patience.pause * 2.0 ** (times - 1))
        pause = own if trouble.wait is None else trouble.wait
        with self._changed:
            if trouble.busy:
                self._not_before = max(self._not_before, time.monotonic() + pause)
            elif not self._stopped:
                self._changed.wait_for(lambda: self._stopped, pause)
