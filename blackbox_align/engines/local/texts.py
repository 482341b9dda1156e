"""Texts that a model only reads: what an adapter does to the language, where no question is asked.

They stand in one row, as questions do, and what the model says of them as it is is asked once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .chat import Reader, Rendered
from .passes import Passes
from .plan import Tree
from .questions import Tokenized

_LOGITS = 2**26  # of one pass over all words
_READINGS = 4


@dataclass(frozen=True)
class TokenizedText:
    """A text in tokens: what is given, and what is predicted of it, token by token."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    opening: int = 0

    @property
    def read(self) -> tuple[int, ...]:
        """All tokens behind which another one is predicted."""
        return (*self.context, *self.continuation[:-1])

    @property
    def predicted(self) -> tuple[int, ...]:
        """The tokens that are predicted; nothing says what the first of all tokens will be."""
        return self.continuation if self.context else self.continuation[1:]


def tokenize_text(context: str, continuation: str, reader: Reader, text: str = "") -> TokenizedText:
    """A pair of a sheet behind a ``text``; the context is a message where there is a chat template."""
    given = "\n".join(part for part in (text, context) if part)
    own = Rendered(continuation, slice(0, len(continuation)), False)
    behind = tuple(reader.tokens(own))
    if not given:
        start = tuple(reader.tokens(Rendered("", slice(0, 0), True)))
        return TokenizedText(start, behind, len(start))
    if reader.template:
        rendered = reader.render(given)
    else:
        rendered = Rendered(given, slice(0, len(given)), True)
    before = tuple(reader.tokens(rendered))
    return TokenizedText(before, behind, reader.before_content(rendered, before))


@dataclass(frozen=True)
class Bundle:
    """Texts that are read in one row, along the tree of what they share; ``tree`` None: one by itself."""

    columns: tuple[int, ...]
    tree: Tree | None


@dataclass(frozen=True, eq=False)
class Reading:
    """The texts of a sheet behind one text, made ready for one model.

    ``plain`` are the same without the text in front. ``usual`` keeps what the model as it is says of the
    next words, (tokens, words) log-probabilities by column, which is needed with every candidate.
    """

    asked: tuple[TokenizedText, ...]
    plain: tuple[TokenizedText, ...]
    usual: dict[tuple[int, bool], Tensor] = field(default_factory=dict)
    bundles: dict[tuple[bool, bool], list[Bundle]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[tuple[str, str]], reader: Reader, text: str = "") -> Reading:
        """``text`` stands in front of all of them."""
        asked, plain = (
            tuple(tokenize_text(*pair, reader, before) for pair in texts) for before in (text, "")
        )
        return cls(asked, plain)

    @property
    def tokens(self) -> int:
        """Those that are read; what several texts share is counted with each."""
        return sum(len(text.read) for text in self.asked)

    def anew(self) -> Reading:
        """The same for a gradient, of which nothing can be a part that was computed in passing."""
        return Reading(self.asked, self.plain, self.usual)

    def bundled(self, inside: bool, alone: bool, most: int) -> list[Bundle]:
        """All texts that predict something; up to ``most`` predicted tokens in a row."""
        if (inside, alone) not in self.bundles:
            self.bundles[inside, alone] = list(_bundles(self.asked, inside, alone, most))
        return self.bundles[inside, alone]


class Readings:
    """Readings that were made ready, the last few of them."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._known: dict[tuple[Any, str], Reading] = {}

    def of(self, texts: tuple[tuple[str, str], ...], text: str) -> Reading:
        """See :meth:`Reading.of`."""
        if (texts, text) not in self._known:
            if len(self._known) == _READINGS:
                self._known.popitem()
            self._known[texts, text] = Reading.of(texts, self.reader, text)
        return self._known[texts, text]

    def clear(self) -> None:
        self._known.clear()


def _bundles(
    texts: Sequence[TokenizedText], inside: bool, alone: bool, most: int
) -> Iterator[Bundle]:
    shared: dict[tuple[int, ...], list[int]] = {}
    for column, text in enumerate(texts):
        opening = text.context[: text.opening] if inside else ()
        if not text.predicted:
            continue
        if alone or len(text.read) <= len(opening):
            yield Bundle((column,), None)
        else:
            shared.setdefault(opening, []).append(column)
    for columns in shared.values():
        some: list[int] = []
        for column in columns:
            if some and sum(len(texts[n].predicted) for n in (*some, column)) > most:
                yield _bundle(texts, some, inside)
                some = []
            some.append(column)
        yield _bundle(texts, some, inside)


def _bundle(texts: Sequence[TokenizedText], columns: Sequence[int], inside: bool) -> Bundle:
    tokenized = [Tokenized(texts[n].read, (), texts[n].opening) for n in columns]
    return Bundle(tuple(columns), Tree.of(tokenized, inside))


def read(
    passes: Passes, reading: Reading, prompts: Tensor, placement: str, alone: bool
) -> tuple[Tensor, Tensor]:
    """(rows, texts) divergence from the plain texts without a prompt, and surprise.

    Kullback-Leibler divergence of the next token under a row of ``prompts`` from that without,
    averaged over the tokens of the continuation, and their mean negative log-likelihood, in nats; NaN
    where nothing is predicted. ``alone``: text by text, under the model's own attention.
    """
    shape = (len(prompts), len(reading.asked))
    divergence = prompts.new_full(shape, torch.nan, dtype=torch.float32)
    surprise = divergence.clone()
    most = max(1, _LOGITS // passes.words)
    alone = alone or placement == "last"
    for bundle in reading.bundled(placement == "message", alone, most):
        usual = _usual(passes, reading, bundle, prompts, alone)
        tokens = sum(len(part) for part in usual)
        rows = max(1, _LOGITS // (passes.words * tokens))
        for start in range(0, len(prompts), rows):
            here = slice(start, start + rows)
            given = _predict(passes, reading.asked, bundle, prompts[here], placement)
            for column, logs, bare in zip(bundle.columns, given, usual, strict=True):
                logs = logs[:, -len(bare) :]
                words = torch.tensor(reading.plain[column].predicted, device=logs.device)
                own = logs.gather(-1, words.expand(len(logs), -1)[..., None])[..., 0]
                divergence[here, column] = (logs.exp() * (logs - bare)).sum(-1).mean(-1)
                surprise[here, column] = -own.mean(-1)
    return divergence, surprise


def _usual(
    passes: Passes, reading: Reading, bundle: Bundle, prompts: Tensor, alone: bool
) -> list[Tensor]:
    """(tokens, words) log-probabilities of the model as it is, for every text of a bundle.

    They are no tensors of an inference, for gradients of others are taken beside them.
    """
    keys = [(column, alone) for column in bundle.columns]
    if any(key not in reading.usual for key in keys):
        columns = [n for n in bundle.columns if reading.plain[n].predicted]
        bare = Bundle(
            tuple(columns), None if alone else _bundle(reading.plain, columns, False).tree
        )
        with torch.inference_mode(False), torch.no_grad(), passes.bare():
            nothing = torch.empty(
                (1, 0, prompts.shape[2]), dtype=prompts.dtype, device=prompts.device
            )
            given = _predict(passes, reading.plain, bare, nothing, "first")
        reading.usual.update(
            ((column, alone), logs[0]) for column, logs in zip(columns, given, strict=True)
        )
    return [reading.usual[key] for key in keys]


def _predict(
    passes: Passes, texts: Sequence[TokenizedText], bundle: Bundle, prompts: Tensor, placement: str
) -> list[Tensor]:
    """For every text (rows, tokens that are predicted, words) log-probabilities."""
    if bundle.tree is None:
        return [_by_itself(passes, texts[n], prompts, placement) for n in bundle.columns]
    counts = [len(texts[column].predicted) for column in bundle.columns]
    logits = passes.texts_in_a_row(bundle.tree, prompts, counts)
    return [part.log_softmax(-1) for part in torch.split(logits, counts, dim=1)]


def _by_itself(passes: Passes, text: TokenizedText, prompts: Tensor, placement: str) -> Tensor:
    at = {"first": 0, "message": text.opening}.get(placement, len(text.context))
    if prompts.shape[1]:
        embedded = passes.embed(text.read).expand(len(prompts), -1, -1)
        embeds = torch.cat([embedded[:, :at], prompts, embedded[:, at:]], dim=1)
        logits = passes.whole(inputs_embeds=embeds, last=len(text.predicted))
    else:
        ids = torch.tensor([text.read], device=prompts.device)
        logits = passes.whole(input_ids=ids, last=len(text.predicted))
    return logits.log_softmax(-1)
