"""Texts that a model only reads: what an adapter does to the language, where no question is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .chat import Reader, Rendered
from .passes import Passes

_ROWS_TIMES_WORDS = 2**26


@dataclass(frozen=True)
class TokenizedText:
    """A text in tokens: what is given, and what is predicted of it, token by token."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    opening: int = 0


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


def read(
    passes: Passes,
    asked: Sequence[TokenizedText],
    plain: Sequence[TokenizedText],
    prompts: Tensor,
    placement: str,
) -> tuple[Tensor, Tensor]:
    """(rows, texts) divergence from the ``plain`` texts without a prompt, and surprise.

    Kullback-Leibler divergence of the next token under a row of ``prompts`` from that without,
    averaged over the tokens of the continuation, and their mean negative log-likelihood, in nats.
    """
    shape = (len(prompts), len(asked))
    divergence = prompts.new_zeros(shape, dtype=torch.float32)
    surprise = prompts.new_zeros(shape, dtype=torch.float32)
    for column, (text, bare) in enumerate(zip(asked, plain, strict=True)):
        words = torch.tensor(text.continuation, device=prompts.device)
        skipped = 0 if bare.context else 1  # nothing says what the first of all tokens will be
        if len(words) <= skipped:
            divergence[:, column] = surprise[:, column] = torch.nan
            continue
        with passes.bare():
            usual = _predicted(passes, bare, prompts[:1, :0], "first")
        rows = max(1, _ROWS_TIMES_WORDS // usual[0].numel())
        for start in range(0, len(prompts), rows):
            some = prompts[start : start + rows]
            here = _predicted(passes, text, some, placement)[:, -usual.shape[1] :]
            gap = (here.exp() * (here - usual)).sum(-1).mean(-1)
            own = here.gather(-1, words[skipped:].expand(len(some), -1)[..., None])[..., 0]
            divergence[start : start + rows, column] = gap
            surprise[start : start + rows, column] = -own.mean(-1)
    return divergence, surprise


def _predicted(passes: Passes, text: TokenizedText, prompts: Tensor, placement: str) -> Tensor:
    """(rows, tokens of the continuation, words) log-probabilities; one less where nothing stands
    before the first."""
    at = {"first": 0, "message": text.opening}.get(placement, len(text.context))
    tokens = (*text.context, *text.continuation)
    if prompts.shape[1]:
        embedded = passes.embed(tokens).expand(len(prompts), -1, -1)
        embeds = torch.cat([embedded[:, :at], prompts, embedded[:, at:]], dim=1)
        logits = passes.whole(inputs_embeds=embeds, last=len(text.continuation) + 1)
    else:
        ids = torch.tensor([tokens], device=prompts.device)
        logits = passes.whole(input_ids=ids, last=len(text.continuation) + 1)
    return logits[:, :-1].log_softmax(-1)
