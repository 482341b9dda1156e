"""The three ways of asking a transformers model: in a row, behind the questions, and plainly.

With the soft prompt in front, all questions of a sheet stand behind it in one row, as a tree in which
shared openings occur once. With the soft prompt last, the questions are computed once for all
candidates, and a candidate costs its own virtual tokens behind each of them. Of the output layer only
the rows of the answer labels are computed, and only where a question ends. The plain way shares
nothing: sequences of one length side by side, under the model's own attention.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Gate, Lora
from ...errors import ModelError, SpecificationError
from ..checkpoint import LanguageModel
from .attention import tree_shadow
from .blend import Blend
from .compiled import Compiled, compiles
from .graphs import Body, recorder
from .last_layer import read_ends_only
from .memory import free_memory
from .packed import pack_linears
from .plan import Plan, Tree
from .rows import Steps
from .shadow import decoder_layers, shadow
from .tree_attention import (
    Continuations,
    KeysAndValues,
    PackedRow,
    gather,
    question_lengths,
)

_LOGITS_PER_PASS = 2**27
_BLENDS = 2
_DENSE = (
    4096  # places of a row: on a GPU one call under a mask that is mostly empty beats many without
)
_FEW = 0.5  # of the places of a row: where more are read, all of the last layer is computed


class Scores(NamedTuple):
    """(rows, questions, labels of a question) logits, and (rows, questions) the log of the sum over
    all words, where that was computed."""

    labels: Tensor
    total: Tensor | None

    @classmethod
    def joined(cls, parts: Sequence[Scores], places: Tensor) -> Scores:
        """Those of some questions behind those of others; ``places`` (questions,) says where each stands."""
        labels = torch.cat([part.labels for part in parts], dim=1)
        totals = [part.total for part in parts if part.total is not None]
        where = places.to(labels.device)
        return cls(labels[:, where], torch.cat(totals, dim=1)[:, where] if totals else None)

    def finished(self, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
        """(rows, questions, labels) probabilities and (rows, questions) mass."""
        offered = self.labels.masked_fill(~plan.offered, -torch.inf)
        probabilities = offered.softmax(-1)
        # One question without a finite number makes the whole candidate's scores meaningless.
        broken = ~probabilities.isfinite().all(-1).all(-1)
        probabilities[broken] = torch.nan
        mass = probabilities.new_full(probabilities.shape[:2], torch.nan)
        if self.total is not None:
            mass = (offered.logsumexp(-1) - self.total).exp()
        return probabilities.cpu().numpy(), mass.cpu().numpy()


class Passes:
    """The ways through one model, each over modules of its own; one thread at a time may use them."""

    def __init__(self, model: LanguageModel, compile: str = "never") -> None:
        self.device, self.dtype, self.precision = model.device, model.dtype, model.info.dtype
        self.most_dense = _DENSE if model.device.type == "cuda" else 0
        self.plain, self.along = shadow(model.model), tree_shadow(model.model)
        self.packed = pack_linears(self.along, free_memory(self.device))
        self.ends_only = True
        with suppress(ModelError):  # whose layers cannot be told apart
            read_ends_only(decoder_layers(self.along)[-1])
        self._embed = self.plain.get_input_embeddings()
        self._updated, self.hooked = True, False
        self.compiled: Compiled | None = None
        if compiles(compile, model.device.type):
            self.compiled = Compiled(
                model.model,
                dtype=self.precision,
                always=compile == "always",
                record=recorder(model.device),
            )
        self._blends: dict[tuple[Lora, ...], Blend] = {}
        self._keeps = "logits_to_keep" in inspect.signature(self.plain.forward).parameters

    def embed(self, tokens: Any) -> Tensor:
        """(tokens, D): the output of the embedding module."""
        return self._embed(torch.tensor(tokens, dtype=torch.long, device=self.device))

    def in_a_row(self, plan: Plan, prompts: Tensor, inside: bool, whole: bool = False) -> Scores:
        """The prompt before everything, or ``inside`` the message; ``whole``: over all words."""
        candidates, width, _ = prompts.shape
        tree = plan.tree(inside)
        row = self._row(tree, width)

        def usual() -> Tensor:
            opening, text = (
                self.embed(part).expand(candidates, -1, -1) for part in (tree.opening, tree.tokens)
            )
            ends = [row.paths[item][-1].stop - 1 for item in range(len(plan.questions))]
            return self._logits(torch.cat([opening, prompts, text], dim=1), row, ends, plan, whole)

        fast = None if whole else self._fast()
        if fast is None:
            return self._scores(usual(), plan, whole)

        def make(size: int) -> Body:
            return fast.along(plan, row, self.embed(tree.opening), self.embed(tree.tokens))

        return self._scores(fast.answered(plan, inside, make, prompts, usual), plan, whole)

    def _fast(self) -> Compiled | None:
        return None if self.hooked or torch.is_grad_enabled() else self.compiled

    def _row(self, tree: Tree, width: int) -> PackedRow:
        row = tree.row(width)
        row.dense = len(row) <= self.most_dense
        return row

    def texts_in_a_row(self, tree: Tree, prompts: Tensor, counts: Sequence[int]) -> Tensor:
        """(rows, tokens, words) float32 logits behind the last ``counts`` tokens of each text of a tree."""
        row = self._row(tree, prompts.shape[1])
        opening, text = (
            self.embed(part).expand(len(prompts), -1, -1) for part in (tree.opening, tree.tokens)
        )
        ends: list[int] = []
        for number, count in enumerate(counts):
            places = [place for part in row.paths[number] for place in range(part.start, part.stop)]
            ends += places[-count:]
        logits = self.forward(self.along, torch.cat([opening, prompts, text], dim=1), row, ends)
        return logits.float().to(self.device)

    def behind(self, plan: Plan, prompts: Tensor) -> Scores:
        """The prompt right before the answer."""
        candidates, width, _ = prompts.shape

        def usual() -> Tensor:
            row = self._continuations(plan, width, candidates)
            embeds = prompts.flatten(0, 1).expand(len(plan.questions), -1, -1)
            ends = range(width - 1, candidates * width, width)
            return self._logits(embeds, row, ends, plan, whole=False).transpose(0, 1)

        fast = self._fast()
        if fast is None:
            return self._scores(usual(), plan, whole=False)

        def make(size: int) -> Body:
            return fast.behind(plan, self._continuations(plan, width, size))

        logits = fast.answered(plan, "behind", make, prompts, usual)
        return self._scores(logits, plan, whole=False)

    def plainly(self, plan: Plan, prompts: Tensor, placement: str, rows: int) -> Scores:
        """The model's own attention over whole sequences, ``rows`` of one length at once."""
        count, width = prompts.shape[:2]
        everything = range(len(plan.questions))
        by_length = sorted(everything, key=lambda n: len(plan.questions[n].context))
        labels = prompts.new_zeros((count, *plan.columns.shape), dtype=torch.float32)
        total = prompts.new_zeros((count, len(everything)), dtype=torch.float32)
        for length, group in groupby(by_length, key=lambda n: len(plan.questions[n].context)):
            pairs = [(row, number) for number in group for row in range(count)]
            at_once = min(rows, self._rows_of_logits(length + width))
            for start in range(0, len(pairs), at_once):
                some = pairs[start : start + at_once]
                last = self._last_logits(plan, prompts, placement, some)
                ids = plan.label_ids[plan.columns]
                for logits, (row, number) in zip(last, some, strict=True):
                    labels[row, number] = logits[ids[number]]
                    total[row, number] = logits.logsumexp(-1)
        return Scores(labels, total)

    @property
    def words(self) -> int:
        """How many words the model tells apart."""
        return int(self.plain.get_input_embeddings().weight.shape[0])

    def _rows_of_logits(self, length: int) -> int:
        return max(1, _LOGITS_PER_PASS // (self.words * (1 if self._keeps else length)))

    def _last_logits(
        self, plan: Plan, prompts: Tensor, placement: str, pairs: list[tuple[int, int]]
    ) -> Tensor:
        """(pairs, words) float32 logits behind whole sequences of one length."""
        if not prompts.shape[1]:
            ids = torch.tensor([plan.questions[number].context for _, number in pairs])
            return self.whole(input_ids=ids.to(self.device), last=1)[:, -1]
        sequences = [self._sequence(plan, prompts[row], placement, n) for row, n in pairs]
        return self.whole(inputs_embeds=torch.stack(sequences), last=1)[:, -1]

    def whole(self, last: int, **given: Tensor) -> Tensor:
        """(rows, last, words) float32 logits behind whole sequences, under the model's own attention."""
        keep = {"logits_to_keep": last} if self._keeps else {}
        logits: Tensor = self.plain(**given, use_cache=False, **keep).logits
        return logits[:, -last:].float().to(self.device)

    # -- low-rank updates ----------------------------------------------------------------------------

    @contextmanager
    def under(
        self,
        loras: Sequence[Lora],
        gates: Sequence[Gate] = (),
        models: Sequence[Any] = (),
        spans: Sequence[int] = (),
    ) -> Iterator[None]:
        """Low-rank updates on these modules, which are nobody else's, for as long as this lasts.

        ``gates`` share them: those of the rows of a batch, or one for all rows; or of ``spans`` of one row.
        ``models`` are those of the two that are used meanwhile, all of them without it.
        """
        models = models or (self.plain, self.along)
        self.hooked = bool(loras)
        if gates:
            blend, on = self._blend(tuple(loras)), lambda: self._updated
            with ExitStack() as stack:
                stack.callback(setattr, self, "hooked", False)
                for model in models:
                    stack.enter_context(blend.hooked(model, gates, on, spans))
                yield
            return
        hooks: list[Any] = []
        try:
            for lora in loras:
                for name, (down, up) in lora.updates.items():
                    add = self._update(name, down, up)
                    for model in models:
                        hooks.append(_submodule(model, name).register_forward_hook(add))
            yield
        finally:
            self.hooked = False
            for hook in hooks:
                hook.remove()

    @contextmanager
    def without_compiler(self) -> Iterator[None]:
        """Block by block, for as long as this lasts."""
        usual, self.compiled = self.compiled, None
        try:
            yield
        finally:
            self.compiled = usual

    @contextmanager
    def bare(self) -> Iterator[None]:
        """The model as it is, also :meth:`under` updates."""
        usual, self._updated = self._updated, False
        try:
            yield
        finally:
            self._updated = usual

    def _blend(self, loras: tuple[Lora, ...]) -> Blend:
        if loras not in self._blends:
            if len(self._blends) == _BLENDS:
                del self._blends[next(iter(self._blends))]
            self._blends[loras] = Blend(self.plain, loras, self.device)
        return self._blends[loras]

    def _update(self, name: str, down: Any, up: Any) -> Callable[[Any, Any, Tensor], Tensor]:
        a, b = (torch.as_tensor(np.asarray(part), device=self.device) for part in (down, up))
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise SpecificationError(
                f"The update of {name!r} is A (r, in) and B (out, r); not {tuple(a.shape)} and "
                f"{tuple(b.shape)}."
            )

        def add(module: Any, given: Any, out: Tensor) -> Tensor:
            if not self._updated:
                return out
            there = given[0].to(a.dtype) @ a.to(out.device).T @ b.to(out.device).T
            return out + there.to(out.dtype)

        return add

    def _sequence(self, plan: Plan, prompt: Tensor, placement: str, number: int) -> Tensor:
        """(tokens, D): one question with the prompt in its place."""
        question = plan.questions[number]
        at = {"first": 0, "message": question.opening}.get(placement, len(question.context))
        text = self.embed(question.context)
        return torch.cat([text[:at], prompt, text[at:]])

    def _continuations(self, plan: Plan, width: int, candidates: int) -> Continuations:
        """Room for candidates behind the questions, whose keys and values are computed once.

        Of a survey in several rows they are kept as they stand in the row, where what questions share is
        there once, and laid out by question for one pass at a time.
        """
        known = plan.continuations
        if known is not None and (known.width, known.candidates) == (width, candidates):
            return known
        row = self._row(plan.tree(inside=False), 0)
        if known is not None:
            past, lengths = known.past, known.lengths
        else:
            kept = plan.kept or self._read_questions(plan, row)
            past = gather(row, kept)
            lengths = torch.tensor(question_lengths(row), device=self.device)
        known = Continuations(past, lengths, width, candidates)
        if plan.kept is None:
            plan.continuations = known
        return known

    def _read_questions(self, plan: Plan, row: PackedRow) -> dict[int, KeysAndValues]:
        """Keys and values of the questions, by layer, as they stand in their row."""
        tokens = self.embed(plan.tree(inside=False).tokens)[None]
        row.kept = {}
        try:
            with torch.no_grad():  # no prompt stands before the questions
                self.forward(self.along, tokens, row, [len(row) - 1])
            kept = row.kept
        finally:
            row.kept = None
        if plan.is_part:
            plan.kept = kept
        return kept

    def _logits(
        self, embeds: Tensor, row: PackedRow | Continuations, ends: Any, plan: Plan, whole: bool
    ) -> Tensor:
        """(rows, ends, labels of the sheet or words) float32 logits of the token after each end."""
        short = None if whole else plan.short
        logits = self.forward(short or self.along, embeds, row, ends)
        if short is None and not whole:
            logits = logits[..., plan.label_ids.to(logits.device)]
        return logits.float().to(self.device)

    def forward(
        self, model: Any, embeds: Tensor, row: PackedRow | Continuations | Steps, ends: Any
    ) -> Tensor:
        """(rows, ends, words or labels) logits of the token after each end of a ``row``."""
        places = torch.as_tensor(ends, device=embeds.device)
        few = len(places) <= _FEW * embeds.shape[1]
        if not self.ends_only or not few or isinstance(row, Steps) or row.kept is not None:
            return self._call(model, embeds, row, places)
        row.ends = tuple(ends)
        try:
            return self._call(model, embeds, row, torch.arange(len(places), device=embeds.device))
        finally:
            row.ends = None

    def _call(self, model: Any, embeds: Tensor, row: Any, places: Tensor) -> Tensor:
        positions = torch.as_tensor(row.positions, device=self.device)
        logits: Tensor = model(
            inputs_embeds=embeds,
            position_ids=positions if positions.ndim == 2 else positions[None],
            use_cache=False,
            row=row,
            **({"logits_to_keep": places} if self._keeps else {}),
        ).logits
        return logits if logits.shape[1] == len(places) else logits[:, places]

    def _scores(self, logits: Tensor, plan: Plan, whole: bool) -> Scores:
        columns = plan.label_ids[plan.columns] if whole else plan.columns
        labels = logits.gather(-1, columns.expand(len(logits), -1, -1))
        return Scores(labels, logits.logsumexp(-1) if whole else None)


def _submodule(model: Any, name: str) -> Any:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise SpecificationError(
            f"A LoRA updates the module {name!r}, which this model has not; was it made for another?"
        ) from None
