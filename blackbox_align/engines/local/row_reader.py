"""Reading for texts that are written: their beginnings side by side in one pass, then token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .passes import Passes
from .rows import Banks, Past
from .tree_attention import PackedRow

_CACHES = ("past_key_values", "cache_params", "state")
_TOKENS_AT_ONCE = 2048
_LOGITS_AT_ONCE = 2**26
_FEW = 8  # rows for which a CPU takes a long matrix times a narrow one several times faster


class Opening(NamedTuple):
    """What a row reads first: ``tokens``, or ``embeds`` (T, D) where there are virtual ones among them;
    ``places`` are those behind which logits are wanted, the last of all at the end."""

    past: Past
    tokens: Sequence[int]
    embeds: Tensor | None
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.tokens) if self.embeds is None else len(self.embeds)


class RowReader:
    """What the rows of one engine have read. A row is begun, gets a token at each step, and leaves."""

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self._banks: dict[tuple[Any, ...], Banks] = {}
        self._words = passes.words
        self._stepping = False
        head = passes.along.get_output_embeddings()
        if type(head) is torch.nn.Linear and head.weight.device.type == "cpu" and head.bias is None:
            head.forward = partial(self._spoken, head)

    def begin(self, openings: Sequence[Opening]) -> list[Tensor]:
        """For every row (places, words) float32 logits behind what it reads first."""
        found: dict[int, Tensor] = {}
        together: dict[tuple[Any, ...], list[Opening]] = {}
        for opening in openings:
            if opening.past.alone:
                with self._under([opening.past]):
                    found[id(opening.past)] = self._begin_alone(opening)
            else:
                together.setdefault(_kind(opening.past), []).append(opening)
        for members in together.values():
            for some in self._passes_of(members):
                with self._under([o.past for o in some], [len(o) for o in some]):
                    logits = self._begin_packed(some)
                found.update(zip((id(o.past) for o in some), logits, strict=True))
        return [found[id(opening.past)] for opening in openings]

    def go_on(self, tokens: Sequence[tuple[Past, int]]) -> list[Tensor]:
        """(words,) float32 logits of every row behind one token more; all rows that are there get one."""
        given = {id(past): token for past, token in tokens}
        found: dict[int, Tensor] = {}
        for past, token in tokens:
            if past.alone:
                with self._under([past]):
                    ids = torch.tensor([[token]], device=self._passes.device)
                    found[id(past)] = self._alone(past, [-1], input_ids=ids)[0]
        for banks in self._banks.values():
            steps = banks.step(self._passes.device)
            rows = steps.rows
            embeds = self._passes.embed([given[id(past)] for past in rows])[:, None]
            self._stepping = True
            try:
                with self._under(rows):
                    out = self._passes.forward(self._passes.along, embeds, steps, [0])[:, 0]
            finally:
                self._stepping = False
            out = out.float().to(self._passes.device)
            found.update(zip(map(id, rows), out, strict=True))
            for past in rows:
                past.length += 1
        return [found[id(past)] for past, _ in tokens]

    def leave(self, past: Past) -> None:
        """A row is over, and what it has read is forgotten."""
        past.cache = None
        if past.bank is not None:
            banks = self._banks[_kind(past)]
            banks.remove(past)
            if not banks.by_room:
                del self._banks[_kind(past)]

    def forget(self) -> None:
        """All rows are over."""
        self._banks.clear()

    def _under(
        self, rows: Sequence[Past], spans: Sequence[int] = ()
    ) -> AbstractContextManager[None]:
        """The updates of rows of one kind, with the gate of each; ``spans`` if they lie in one row."""
        model = self._passes.plain if rows[0].alone else self._passes.along
        gates = [gate for row in rows for gate in row.gates]
        return self._passes.under(rows[0].loras, gates, (model,), spans)

    def _spoken(self, head: torch.nn.Linear, hidden: Tensor) -> Tensor:
        """The output layer: in a step of few rows the other way round, up to five times faster on a CPU."""
        if self._stepping and 1 < len(hidden) <= _FEW and hidden.dtype == torch.float32:
            return (head.weight @ hidden.flatten(0, 1).T).T.reshape(*hidden.shape[:-1], -1)
        return torch.nn.functional.linear(hidden, head.weight)

    # -- beginnings --------------------------------------------------------------------------------

    def _passes_of(self, openings: Sequence[Opening]) -> Iterator[list[Opening]]:
        """Beginnings that share a pass: as many as keep it within bounds, one at least."""
        some: list[Opening] = []
        for opening in openings:
            tokens = sum(map(len, some)) + len(opening)
            places = sum(len(o.places) for o in some) + len(opening.places)
            if some and (tokens > _TOKENS_AT_ONCE or places * self._words > _LOGITS_AT_ONCE):
                yield some
                some = []
            some.append(opening)
        if some:
            yield some

    def _begin_packed(self, openings: Sequence[Opening]) -> list[Tensor]:
        """Each in a span of its own in one row, which sees nothing of the others."""
        embeds = torch.cat(
            [self._passes.embed(o.tokens) if o.embeds is None else o.embeds for o in openings]
        )
        row = PackedRow(kept={})
        spans = [row.add((), [len(opening)])[0] for opening in openings]
        ends = [
            span.start + place
            for span, opening in zip(spans, openings, strict=True)
            for place in opening.places
        ]
        at_once = max(1, _LOGITS_AT_ONCE // self._words)
        parts = [self._logits(embeds, row, ends[:at_once])]
        for start in range(at_once, len(ends), at_once):  # of a long echo: read again
            again = PackedRow(row.positions, row.blocks)
            parts.append(self._logits(embeds, again, ends[start : start + at_once]))
        for span, opening in zip(spans, openings, strict=True):
            opening.past.length = len(opening)
            banks = self._banks.setdefault(_kind(opening.past), Banks())
            kept = (row.kept or {}).items()
            banks.add(opening.past, {n: (k[0, :, span], v[0, :, span]) for n, (k, v) in kept})
        return list(torch.split(torch.cat(parts), [len(opening.places) for opening in openings]))

    def _logits(self, embeds: Tensor, row: PackedRow, ends: Sequence[int]) -> Tensor:
        logits = self._passes.forward(self._passes.along, embeds[None], row, ends)
        return logits[0].float().to(self._passes.device)

    def _begin_alone(self, opening: Opening) -> Tensor:
        if opening.embeds is not None:
            return self._alone(opening.past, opening.places, inputs_embeds=opening.embeds[None])
        ids = torch.tensor([list(opening.tokens)], device=self._passes.device)
        return self._alone(opening.past, opening.places, input_ids=ids)

    def _alone(self, past: Past, places: Sequence[int], **given: Tensor) -> Tensor:
        """(places, words): one row under the model's own attention, with the model's own kind of cache."""
        known = {} if past.cache is None else past.cache
        out = self._passes.plain(**given, **known, use_cache=True)
        for name in _CACHES:
            if getattr(out, name, None) is not None:
                past.cache = {name: getattr(out, name)}
        return out.logits[0, list(places)].float().to(self._passes.device)


def _kind(past: Past) -> tuple[Any, ...]:
    """What rows that share a pass have in common: their LoRA, whatever the gates, if these hold for whole
    prompts."""
    own = [id(gate) for gate in past.gates if gate.rows is not None]
    return (bool(past.gates), *own, *map(id, past.loras))
