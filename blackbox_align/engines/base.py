"""The seam between everything else and a language model: whoever answers sheets under adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import PLACEMENTS, Adapter, check_placement
from ..surveys.sheet import Sheet

Array = NDArray[np.floating]
Message = Mapping[str, str]

# The largest difference in a label's probability between two ways of computing the same: in half
# precision the order of the computation alone makes about this much.
PARITY = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 5e-2, "float16": 1e-2}

AS_MANY = 1024
"""Tokens of a text whose length nobody asked for."""

VERBS = ("answer", "read", "submit", "hidden", "embed", "pullback")
KINDS = ("text", "first", "message", "last", "lora", "gate")


@dataclass(frozen=True, eq=False)
class Answers:
    """What came back from a :class:`..surveys.sheet.Sheet`; a failed candidate is NaN and says why.

    Attributes
    ----------
    probabilities : (P, questions, options) float32 over the labels alone; rows sum to 1, zeros behind a
        question's labels
    mass : (P, questions) share of the next token that is any label; NaN where it is not known
    divergence : (P, texts) KL divergence of the next tokens from those under ``Adapter()``, nats a token
    surprise : (P, texts) nats a token; exp of the mean is the perplexity
    failures : a sentence for every candidate that failed, else None
    """

    probabilities: Array
    mass: Array
    divergence: Array
    surprise: Array
    failures: tuple[str | None, ...]

    @classmethod
    def of(cls, probabilities: Array, texts: int = 0) -> Answers:
        """Answers of which nothing but the ``probabilities`` is known; NaN candidates are failures."""
        rows, questions = probabilities.shape[:2]
        why = "the model's answer is not a finite number"
        unknown = np.full((rows, texts), np.nan, np.float32)
        return cls(
            np.asarray(probabilities, np.float32),
            np.full((rows, questions), np.nan, np.float32),
            unknown,
            unknown,
            tuple(None if np.isfinite(answer).all() else why for answer in probabilities),
        )

    @classmethod
    def none(cls, sheet: Sheet) -> Answers:
        """The answers of no candidate at all."""
        shape = (0, len(sheet.questions), sheet.width)
        return cls.of(np.zeros(shape, np.float32), len(sheet.texts))

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, rows: slice) -> Answers:
        """Some candidates' answers."""
        return Answers(
            self.probabilities[rows],
            self.mass[rows],
            self.divergence[rows],
            self.surprise[rows],
            self.failures[rows],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Answers]) -> Answers:
        """The answers of one sheet's candidates, one part behind another."""
        names = ("probabilities", "mass", "divergence", "surprise")
        arrays = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
        return cls(**arrays, failures=tuple(why for part in parts for why in part.failures))


@dataclass(frozen=True)
class Sampling:
    """How a text is drawn; ``temperature`` 0 is greedy.

    ``max_tokens`` None are as many as fit behind the prompt, :data:`AS_MANY` at most; ``logprobs`` is how
    many of the likeliest tokens are told at each place.
    """

    max_tokens: int | None = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    logprobs: int = 0


@dataclass(frozen=True, eq=False)
class Request:
    """A text to write.

    Several voices write one text: each token is drawn once, from their mixture. With ``echo`` the
    log-probabilities of what is read are told, too; all voices have to read the same tokens then.
    """

    prompt: Sequence[Message] | str | tuple[int, ...]
    sampling: Sampling = field(default_factory=Sampling)
    voices: tuple[tuple[Adapter, float], ...] = ((Adapter(), 1.0),)
    pool: Literal["linear", "log"] = "linear"
    echo: bool = False


class Token(NamedTuple):
    """A token that was read or written.

    ``logprob`` is its log-probability at temperature 1 in the mixture of all voices, nan where nothing
    stands before it or nobody asked; ``top`` are the likeliest in its place, best first; ``start`` is how
    many characters of the text stand before it.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    start: int = 0


Reason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Text:
    """A text that was written, token by token, and why it ended.

    ``end`` is the token that ended it, if one did, and ``read`` what stands before it, as its first voice
    read it.
    """

    text: str
    written: tuple[Token, ...]
    reason: Reason
    end: Token | None = None
    read: tuple[Token, ...] = ()

    @property
    def tokens(self) -> tuple[int, ...]:
        return tuple(token.token for token in self.written)

    @property
    def logprobs(self) -> tuple[float, ...]:
        return tuple(token.logprob for token in self.written)


class Piece(NamedTuple):
    """What came behind a place of a text; ``whole`` is the text where this is its end."""

    text: str
    tokens: tuple[Token, ...]
    whole: Text | None


class Reply(Protocol):
    """A request under way in the running batch; iterating gives pieces as they come.

    ``read`` is what stands before the text, empty until that was read; ``over`` says whether it has ended.
    """

    read: tuple[Token, ...]

    @property
    def over(self) -> bool: ...

    def __iter__(self) -> Iterator[str]: ...

    def since(self, characters: int, tokens: int) -> Piece:
        """What is there now behind so many characters and tokens; at once."""
        ...

    def follow(self, call: Callable[[], None]) -> None:
        """``call()``, from the engine's thread, whenever there is more, and at the end."""
        ...

    def result(self) -> Text:
        """Waits for the end."""
        ...

    def cancel(self) -> None:
        """Frees the rows within one step."""
        ...


@dataclass(frozen=True)
class EngineInfo:
    """What is known of an engine's model.

    ``revision`` identifies weights, configuration, tokenizer and template by content, and ``commit`` is
    that of a hub model, for going on with the same one; ``width`` is D;
    ``vocabulary`` the number of tokens that have an embedding; ``positions`` how many tokens it takes,
    None without a limit; ``opening`` what it reads around a question, and ``date`` the day that stands
    in it, if any: with ``revision`` they are all that an answer follows from; ``orders`` are those in
    which options are asked by default, both directions unless its card says otherwise; ``writes`` is False
    where its card says that it writes no texts; ``placement`` is where a soft prompt costs the language
    least, and ``searched`` where a search that has no gradient finds one;
    ``noise`` index points of its precision where that was measured; ``can`` the :data:`VERBS` and
    :data:`KINDS` that it has, ``read`` being what texts of a sheet need.
    """

    name: str
    revision: str = ""
    dtype: str = "float32"
    width: int = 0
    vocabulary: int = 0
    positions: int | None = None
    opening: str = ""
    date: str = ""
    disclaimer: str = ""
    commit: str = ""
    orders: str = "reversed"
    writes: bool = True
    placement: str = "first"
    searched: str = "first"
    noise: float | None = None
    can: frozenset[str] = frozenset({"answer"})

    @property
    def rotations(self) -> str:
        """The orders for distributions: between an option's place and its reverse pure position still gives
        every distribution that is symmetric, which rotations undo. Means of scales do not move by it.
        """
        return self.orders if self.orders == "1" else "cyclic"


class Engine(Protocol):
    """A model in process, Ray workers, a function, or one of these with its answers kept.

    It is the only owner of its model, and any thread may call. It knows no population and no objective.
    """

    @property
    def info(self) -> EngineInfo: ...

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        """All questions of ``sheet`` under every adapter; ``plainly``: one by one, nothing shared.

        Adapters of several lengths, kinds and placements may come together. Raises
        :class:`..errors.ModelError` where the model cannot be asked, :class:`..errors.OutOfMemoryError`
        where memory runs out for a single candidate.
        """
        ...

    def submit(self, request: Request) -> Reply:
        """Joins the running batch at the next step."""
        ...

    def hidden(self, texts: Sequence[str], source: Literal["layer-input", "feed-forward"]) -> Array:
        """(texts, layers, D) float32 hidden states of the last token."""
        ...

    def tokenize(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, without special ones."""
        ...

    def embed(self, tokens: Sequence[int]) -> Array:
        """(n, D) float32, as the embedding module puts them out, which some models scale inside."""
        ...

    def pullback(
        self, adapters: Sequence[Adapter], sheet: Sheet
    ) -> tuple[Answers, Callable[[Answers], Array]]:
        """Answers, and a function from the derivatives by answers to those by prompts (P, tokens, D)."""
        ...

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        """For every question None, or a sentence why this model cannot be asked it."""
        ...

    def close(self) -> None:
        """Ends its thread and lets go of its model; closing twice is fine."""
        ...


def write_all(engine: Engine, requests: Sequence[Request]) -> list[Text]:
    """The texts of requests, written side by side; where one fails the others are cancelled."""
    replies = []
    try:
        for request in requests:
            replies.append(engine.submit(request))
        return [reply.result() for reply in replies]
    except BaseException:
        for reply in replies:
            reply.cancel()
        raise


__all__ = ["AS_MANY", "PARITY", "PLACEMENTS", "Answers", "Engine", "EngineInfo", "Message", "Piece",
           "Reason", "Reply", "Request", "Sampling", "Text", "Token", "check_placement",
           "write_all"]  # fmt: skip
