"""Texts that are written side by side: a running batch, stepped token by token between other jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, SoftPrompt
from ...errors import SpecificationError
from ..base import Request, Text
from .chat import Reader
from .passes import Passes
from .sampling import draw
from .tree_attention import Past

_UNFINISHED = "\ufffd"  # what a tokenizer writes for a character whose last byte is not there yet


@dataclass(frozen=True)
class Beginning:
    """What a voice reads before the first new token: ``tokens``, with a soft prompt at ``at``."""

    tokens: tuple[int, ...]
    prompt: SoftPrompt | None
    at: int

    @property
    def width(self) -> int:
        return 0 if self.prompt is None else len(self.prompt)

    def embedded(self, passes: Passes) -> Tensor | None:
        """(T, D), where there is a soft prompt."""
        if self.prompt is None:
            return None
        text = passes.embed(self.tokens)
        vectors = torch.as_tensor(self.prompt.vectors).to(text.device, text.dtype)
        return torch.cat([text[: self.at], vectors, text[self.at :]])


def begin_text(reader: Reader, prompt: Any, adapter: Adapter) -> Beginning:
    """The prompt of a request under one voice: messages, plain text or tokens."""
    if isinstance(prompt, tuple) and all(isinstance(token, int) for token in prompt):
        if adapter.text:
            raise SpecificationError("A text cannot stand before tokens; give a text or messages.")
        tokens, opening = list(prompt), 0
    else:
        rendered = reader.plain(prompt, adapter.text) if isinstance(prompt, str) else (
            reader.messages(prompt, adapter.text)
        )  # fmt: skip
        tokens = reader.tokens(rendered)
        opening = reader.before_content(rendered, tokens)
    if not tokens:
        raise SpecificationError("A text to go on from needs one token or more.")
    place = adapter.prompt.placement if adapter.prompt is not None else "first"
    at = {"first": 0, "message": opening}.get(place, len(tokens))
    return Beginning(tuple(tokens), adapter.prompt, at)


class Writing:
    """A request under way; see :class:`..base.Reply`."""

    def __init__(self, request: Request, decode: Callable[[list[int]], str]) -> None:
        self.request, self._decode = request, decode
        self._told = threading.Condition()
        self._text, self._given = "", 0
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self._end: Text | BaseException | None = None
        self.cancelled = False

    def __iter__(self) -> Iterator[str]:
        seen = 0
        while True:
            with self._told:
                while self._given <= seen and self._end is None:
                    self._told.wait()
                piece, seen, end = self._text[seen : self._given], self._given, self._end
            if piece:
                yield piece
            elif isinstance(end, BaseException):
                raise end
            elif end is not None:
                return

    def result(self) -> Text:
        with self._told:
            self._told.wait_for(lambda: self._end is not None)
        if isinstance(self._end, BaseException):
            raise self._end
        assert self._end is not None
        return self._end

    def cancel(self) -> None:
        self.cancelled = True

    # -- from the engine's thread ------------------------------------------------------------------

    def add(self, token: int, logprob: float) -> bool:
        """One token more; says whether a stop or the length ends the text here."""
        sampling = self.request.sampling
        self.tokens.append(token)
        self.logprobs.append(logprob)
        text = self._decode(self.tokens)
        cut = min((at for stop in sampling.stop if (at := text.find(stop)) >= 0), default=None)
        if cut is not None:
            self.end("stop", text[:cut])
            return True
        if len(self.tokens) >= sampling.max_tokens:
            self.end("length", text)
            return True
        with self._told:
            self._text = text
            held = max((n for stop in sampling.stop for n in range(1, len(stop))
                        if text.endswith(stop[:n])), default=0)  # fmt: skip
            self._given = max(self._given, len(text.rstrip(_UNFINISHED)) - held)
            self._told.notify_all()
        return False

    def end(self, reason: Literal["stop", "length", "cancelled"], text: str | None = None) -> None:
        with self._told:
            self._text = self._decode(self.tokens) if text is None else text
            self._given = len(self._text)
            self._end = Text(self._text, tuple(self.tokens), tuple(self.logprobs), reason)
            self._told.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._told:
            if self._end is None:
                self._end = error
            self._told.notify_all()


@dataclass(eq=False)
class Group:
    """The rows of one text, a voice each: what stands before it, then what each has read so far.

    ``embeds`` (tokens, D) of each voice, or None behind ``tokens`` alone; ``alone`` where the model is
    asked row by row, under its own attention.
    """

    writing: Writing
    before: list[tuple[tuple[int, ...], Tensor | None]]
    weights: np.ndarray
    alone: bool
    rng: np.random.Generator

    @classmethod
    def of(cls, writing: Writing, texts: Sequence[Beginning], passes: Passes, alone: bool) -> Group:
        request = writing.request
        weights = np.array([weight for _, weight in request.voices], float)
        before = [(text.tokens, text.embedded(passes)) for text in texts]
        rng = np.random.default_rng(request.sampling.seed)
        return cls(writing, before, weights, alone, rng)

    rows: list[Past] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)


class RunningBatch:
    """All texts that are being written; :meth:`step` adds a token to each of them.

    Linear layers take all rows together; in its attention each row sees its own past, without padding.
    """

    def __init__(self, passes: Passes, ends: frozenset[int]) -> None:
        self._passes, self._ends = passes, ends
        self._coming: list[Group] = []
        self._active: list[Group] = []
        self._lock = threading.Lock()

    def join(self, group: Group) -> bool:
        """A text comes in at the next step; says whether nobody is stepping now."""
        with self._lock:
            idle = not self._coming and not self._active
            self._coming.append(group)
            return idle

    def fail(self, error: BaseException) -> None:
        """All texts end with an error."""
        with self._lock:
            groups = self._coming + self._active
            self._coming, self._active = [], []
        for group in groups:
            group.writing.fail(error)

    @torch.inference_mode()
    def step(self) -> bool:
        """One token for each text; says whether there is more to do."""
        with self._lock:
            coming, self._coming = self._coming, []
            self._active += coming
        for group in coming:
            if not group.writing.cancelled:
                self._begin(group)
        going = [group for group in self._active if self._draw(group)]
        if going:
            self._read(going)
        with self._lock:
            self._active = going
            return bool(self._active or self._coming)

    def _begin(self, group: Group) -> None:
        voices = group.writing.request.voices
        for (tokens, embeds), (adapter, _) in zip(group.before, voices, strict=True):
            gates = () if adapter.gate is None else (adapter.gate,)
            past = Past(group.alone, adapter.loras, gates)
            group.logits.append(self._passes.begin(past, tokens, embeds))
            group.rows.append(past)

    def _draw(self, group: Group) -> bool:
        """Draw the next token of a text; says whether it goes on."""
        writing, request = group.writing, group.writing.request
        if writing.cancelled:
            writing.end("cancelled")
            return False
        logits = torch.stack(group.logits).cpu().numpy()
        token, logprob = draw(logits, group.weights, request.pool, request.sampling, group.rng)
        if token in self._ends:
            writing.end("stop")
            return False
        return not writing.add(token, logprob)

    def _read(self, groups: list[Group]) -> None:
        """Every row reads the token that its text got last."""
        rows = [(row, group.writing.tokens[-1]) for group in groups for row in group.rows]
        logits = iter(self._passes.go_on([row for row, _ in rows], [token for _, token in rows]))
        for group in groups:
            group.logits = [next(logits) for _ in group.rows]


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a text, of the tokenizer and of the model's own configuration."""
    ends: set[int] = set()
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    for known in (tokenizer.eos_token_id, configured):
        ends.update([known] if isinstance(known, int) else known or ())
    return frozenset(ends)
