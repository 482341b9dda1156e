"""Texts that are written side by side: a running batch, stepped token by token between other jobs."""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, SoftPrompt
from ...errors import ModelError, SpecificationError
from ..base import AS_MANY, Piece, Reason, Request, Text, Token
from .chat import Reader, Rendered, common_prefix
from .detokenizer import UNFINISHED, Detokenizer
from .passes import Passes
from .row_reader import Opening, RowReader
from .rows import Past
from .sampling import draw, mixture, top

Top = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Beginning:
    """What a voice reads before the first new token: ``tokens``, with a soft prompt at ``at``."""

    tokens: tuple[int, ...]
    prompt: SoftPrompt | None
    at: int

    @property
    def width(self) -> int:
        return 0 if self.prompt is None else len(self.prompt)

    def places_before(self, tokens: Iterable[int]) -> list[int]:
        """Where the token before each of ``tokens`` stands, counted with the virtual ones.

        What stands right behind the virtual tokens follows on the last of them.
        """
        return [n - 1 + (self.width if n >= self.at else 0) for n in tokens]

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
        special = reader.tokens(Rendered("", slice(0, 0), True))
        tokens, opening = list(prompt), len(common_prefix([special, prompt]))
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


def tokens_to_write(
    request: Request, texts: Sequence[Beginning], positions: int | None, model: str
) -> int:
    """How many tokens a request may get behind its ``texts``, one a voice.

    Raises :class:`ModelError` for more than the model has learned ``positions``, and
    :class:`SpecificationError` for an echo of texts that differ.
    """
    if request.echo and len({text.tokens for text in texts}) > 1:
        raise SpecificationError(
            "An echo is of what all voices read, and these read different texts; ask one of them."
        )
    longest = max(len(text.tokens) + text.width for text in texts)
    new = request.sampling.max_tokens
    if new is None:
        new = AS_MANY if positions is None else min(AS_MANY, max(1, positions - longest))
    if positions is not None and longest + new > positions:
        raise ModelError(
            f"The text to go on from has {longest:,} tokens, {longest + new:,} with those to be "
            f"written, and {model!r} has learned {positions:,} positions; ask for less."
        )
    return new


class Writing:
    """A request under way; see :class:`..base.Reply`."""

    def __init__(self, request: Request, tokenizer: Any, most: int) -> None:
        self.request, self._most = request, most
        self._detokenizer = Detokenizer(tokenizer)
        self._told = threading.Condition()
        self._calls: list[Callable[[], None]] = []
        self._text, self._given = "", 0
        self._ends: list[int] = []  # of the text, behind each token
        self.written: list[Token] = []
        self.read: tuple[Token, ...] = ()
        self._end: Text | BaseException | None = None
        self.cancelled = False

    def __iter__(self) -> Iterator[str]:
        seen = 0
        while True:
            with self._told:
                while self._given <= seen and self._end is None:
                    self._told.wait()
                piece = self.since(seen, 0)
            seen += len(piece.text)
            if piece.text:
                yield piece.text
            if piece.whole is not None:
                return

    def since(self, characters: int, tokens: int) -> Piece:
        with self._told:
            if isinstance(self._end, BaseException):
                raise self._end
            count = len(self.written) if self._end is not None else (
                bisect_right(self._ends, self._given)
            )  # fmt: skip
            text = self._text[characters : self._given]
            return Piece(text, tuple(self.written[tokens:count]), self._end)

    def follow(self, call: Callable[[], None]) -> None:
        with self._told:
            self._calls.append(call)
            known = self._given > 0 or self._end is not None
        if known:
            call()

    def result(self) -> Text:
        with self._told:
            self._told.wait_for(lambda: self._end is not None)
        if isinstance(self._end, BaseException):
            raise self._end
        assert self._end is not None
        return self._end

    def cancel(self) -> None:
        self.cancelled = True

    @property
    def over(self) -> bool:
        return self._end is not None

    @property
    def length(self) -> int:
        """The characters that are there."""
        return len(self._text)

    # -- from the engine's thread ------------------------------------------------------------------

    def add(self, token: int, logprob: float, top: Top) -> bool:
        """One token more; says whether a stop or the length ends the text here."""
        sampling, before = self.request.sampling, len(self._text)
        text = self._detokenizer.add(token)
        begin = max(0, self._given - max(map(len, sampling.stop), default=0))
        found = (text.find(stop, begin) for stop in sampling.stop)
        cut = min((at for at in found if at >= 0), default=None)
        with self._told:
            self.written.append(Token(token, logprob, top, before))
            self._ends.append(len(text))
            self._text = text
        if cut is not None:
            self.end("stop", cut)
            return True
        if len(self.written) >= self._most:
            self.end("length")
            return True
        held = max((n for stop in sampling.stop for n in range(1, len(stop))
                    if text.endswith(stop[:n])), default=0)  # fmt: skip
        with self._told:
            self._given = max(self._given, len(text.rstrip(UNFINISHED)) - held)
            self._told.notify_all()
        self._tell()
        return False

    def end(self, reason: Reason, cut: int | None = None, end: Token | None = None) -> None:
        """The text is over; it is cut off where a stop begins, and with it the tokens behind."""
        whole = self._detokenizer.whole()
        with self._told:
            if whole.startswith(self._text[: self._given]):
                self._text = whole
            if cut is not None:
                self._text = self._text[:cut]
                while self.written and self.written[-1].start >= cut:
                    self.written.pop()
            self._given = len(self._text)
            self._end = Text(self._text, tuple(self.written), reason, end, self.read)
            self._told.notify_all()
        self._tell()

    def fail(self, error: BaseException) -> None:
        with self._told:
            if self._end is None:
                self._end = error
            self._told.notify_all()
        self._tell()

    def _tell(self) -> None:
        for call in self._calls:
            call()


@dataclass(eq=False)
class Group:
    """The rows of one text, a voice each: what stands before it, then what each has read so far.

    ``before`` are the tokens of each voice, and their (tokens, D) embeddings where virtual ones are among
    them; ``alone`` where the model is asked row by row, under its own attention.
    """

    writing: Writing
    before: list[tuple[Beginning, Tensor | None]]
    weights: np.ndarray
    alone: bool
    rng: np.random.Generator

    @classmethod
    def of(cls, writing: Writing, texts: Sequence[Beginning], passes: Passes, alone: bool) -> Group:
        request = writing.request
        weights = np.array([weight for _, weight in request.voices], float)
        before = [(text, text.embedded(passes)) for text in texts]
        rng = np.random.default_rng(request.sampling.seed)
        return cls(writing, before, weights, alone, rng)

    rows: list[Past] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)

    def openings(self) -> list[Opening]:
        """What each voice reads first, and where its next token is wanted: at the end, or everywhere."""
        echo, found = self.writing.request.echo, []
        for (text, embeds), (adapter, _) in zip(
            self.before, self.writing.request.voices, strict=True
        ):
            gates = () if adapter.gate is None else (adapter.gate,)
            past = Past(self.alone, adapter.loras, gates)
            last = len(text.tokens) + text.width - 1
            places = [*text.places_before(range(1, len(text.tokens))), last] if echo else [last]
            self.rows.append(past)
            found.append(Opening(past, text.tokens, embeds, places))
        return found

    def begun(self, logits: Sequence[Tensor], decoder: Callable[[], Detokenizer]) -> None:
        """Take the (places, words) logits of every voice's opening."""
        self.logits = [part[-1] for part in logits]
        request, tokens = self.writing.request, self.before[0][0].tokens
        if not request.echo:
            self.writing.read = tuple(Token(token, math.nan) for token in tokens)
            return
        read, text = [Token(tokens[0], math.nan)], decoder()
        starts = [0, *(len(text.add(token)) for token in tokens)]
        for place, token in enumerate(tokens[1:]):
            voices = torch.stack([part[place] for part in logits]).cpu().numpy()
            plain = mixture(voices, self.weights, request.pool)
            likely = top(plain, request.sampling.logprobs)
            read.append(Token(token, float(plain[token]), likely, starts[place + 1]))
        self.writing.read = tuple(read)


class RunningBatch:
    """All texts that are being written; :meth:`step` adds a token to each of them.

    Linear layers take all rows together; in its attention each row sees its own past.
    """

    def __init__(self, passes: Passes, ends: frozenset[int], tokenizer: Any) -> None:
        self._reader, self._ends, self._tokenizer = RowReader(passes), ends, tokenizer
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
        self._reader.forget()
        for group in groups:
            group.writing.fail(error)

    @torch.inference_mode()
    def step(self) -> bool:
        """One token for each text; says whether there is more to do."""
        with self._lock:
            coming, self._coming = self._coming, []
            self._active += coming
        self._begin([group for group in coming if not group.writing.cancelled])
        going = [group for group in self._active if self._draw(group)]
        if going:
            self._read(going)
        with self._lock:
            self._active = going
            return bool(self._active or self._coming)

    def _begin(self, groups: list[Group]) -> None:
        openings = [group.openings() for group in groups]
        logits = iter(self._reader.begin([opening for some in openings for opening in some]))
        for group, some in zip(groups, openings, strict=True):
            group.begun([next(logits) for _ in some], lambda: Detokenizer(self._tokenizer))
            group.before = []

    def _draw(self, group: Group) -> bool:
        """Draw the next token of a text; says whether it goes on."""
        goes_on = self._drawn(group)
        if not goes_on:
            for row in group.rows:
                self._reader.leave(row)
        return goes_on

    def _drawn(self, group: Group) -> bool:
        writing, request = group.writing, group.writing.request
        if writing.cancelled:
            writing.end("cancelled")
            return False
        if request.sampling.max_tokens == 0:
            writing.end("length")
            return False
        logits = torch.stack(group.logits).cpu().numpy()
        drawn = draw(logits, group.weights, request.pool, request.sampling, group.rng)
        if drawn[0] in self._ends:
            writing.end("stop", end=Token(*drawn, writing.length))
            return False
        return not writing.add(*drawn)

    def _read(self, groups: list[Group]) -> None:
        """Every row reads the token that its text got last."""
        rows = [(row, group.writing.written[-1].token) for group in groups for row in group.rows]
        logits = iter(self._reader.go_on(rows))
        for group in groups:
            group.logits = [next(logits) for _ in group.rows]


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a text, of the tokenizer and of the model's own configuration."""
    ends: set[int] = set()
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    for known in (tokenizer.eos_token_id, configured):
        ends.update([known] if isinstance(known, int) else known or ())
    return frozenset(ends)
