"""A transformers model in this process, asked from a thread of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, Lora
from ...errors import ModelError, OutOfMemoryError, SpecificationError
from ...surveys.sheet import Question, Sheet
from ..base import VERBS, Answers, EngineInfo, Reply, Request
from ..checkpoint import LanguageModel
from .chat import ChatFormat, Reader, Rendered
from .decoding import Group, RunningBatch, Writing, begin_text, end_tokens, tokens_to_write
from .detokenizer import Speller
from .gradients import Read, pull
from .hidden import hidden_states
from .memory import free_memory, is_out_of_memory, keep_freed_memory
from .passes import Passes, Scores
from .plan import Plan
from .questions import tokenize
from .shadow import bytes_per_token, check_causal
from .texts import read, tokenize_text
from .thread import JobThread
from .ways import Ways

# Tokens of one pass: enough to keep any device busy. Half of them, and half again, until they take
# no more than this share of the memory that is free: batches then are not of a new size in each run.
_TOKENS_PER_PASS = 16_384
_SHARE_OF_MEMORY = 0.8
_PLANS = 4
_TRIAL = Sheet((Question("Which is it?\n1 = this, 2 = that", ("1", "2")),))
_GRADIENT_SHARE = 8  # of a pass: what leads to an answer is kept for its gradient

Pause = Callable[[], None]
Kind = tuple[str, str, int, tuple[Lora, ...]]


class LocalEngine:
    """A model in this process; see :class:`..base.Engine`.

    Parameters
    ----------
    model : which stays as it is, whatever is asked
    batch_size : candidates per pass; by default as many as keep a device busy and fit into the
        memory that is free when the engine is made. It is halved, for good, should memory run out
        all the same. Answers depend on it by float noise only
    form : what is put around a question

    Raises
    ------
    ModelError
        The model is no causal one, or its chat template does not work.
    """

    def __init__(
        self,
        model: LanguageModel,
        batch_size: int | None = None,
        form: ChatFormat = ChatFormat(),  # noqa: B008
    ) -> None:
        check_causal(model)
        self.model, self.batch_size = model, batch_size
        self.reader = Reader(model.tokenizer, form)
        devices = {parameter.device for parameter in model.model.parameters()}
        self._room = _SHARE_OF_MEMORY * min(map(free_memory, devices))
        if model.device.type == "cpu":
            keep_freed_memory()
        self._passes = Passes(model)
        self._ways = Ways(model, self._passes)
        self._batch = RunningBatch(
            self._passes, end_tokens(model.model, model.tokenizer), model.tokenizer
        )
        self.spell = Speller(model.tokenizer).spell
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._thread = JobThread()

    @property
    def info(self) -> EngineInfo:
        kinds = {"text", "first", "message", "last", "lora"}
        positions = self._ways.limits.positions
        return self.model.described(
            opening=self.reader.opening,
            date=self.reader.dated,
            positions=positions,
            can=frozenset({*VERBS, *kinds}),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was found out while it was asked, such as that it is asked slowly."""
        return self._ways.notes

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        return self._thread.run(lambda pause: self._answer(list(adapters), sheet, plainly, pause))

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        return self._thread.run(lambda pause: self.model.embed(tokens))

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.model.tokenizer(text, add_special_tokens=False).input_ids)

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        """For every question None, or a sentence why this model cannot be asked it."""

        def why_not(number: int) -> str | None:
            try:
                tokenize(sheet.questions[number], self.reader)
            except ModelError as error:
                return str(error)
            return None

        return tuple(map(why_not, range(len(sheet.questions))))

    def submit(self, request: Request) -> Reply:
        voices = [adapter for adapter, _ in request.voices]
        self._groups(voices)
        before = [begin_text(self.reader, request.prompt, adapter) for adapter in voices]
        longest = max(len(text.tokens) + text.width for text in before)
        new = tokens_to_write(request, before, self._ways.limits.positions, self.model.name)
        writing = Writing(request, self.model.tokenizer, new)

        def begin() -> None:
            try:
                with torch.inference_mode():
                    alone = self._writes_alone(longest + new, any(text.width for text in before))
                    if self._batch.join(Group.of(writing, before, self._passes, alone)):
                        self._thread.submit(self._step)
            except BaseException as error:
                writing.fail(error)

        self._thread.submit(begin)
        return writing

    def _step(self) -> None:
        """One token for every text, then whatever waits, then the next."""
        try:
            if self._batch.step():
                self._thread.submit(self._step)
        except BaseException as error:
            self._batch.fail(error)

    def _writes_alone(self, longest: int, prompted: bool) -> bool:
        """Whether rows are written one by one, under the model's own attention."""
        try:
            plan = self._plan(_TRIAL, "")
        except ModelError:  # labels that are no single tokens
            return True
        if prompted:
            self._ways.refuse_other_embeddings(plan)
        shared = self._ways.limits.shared
        return bool((shared and longest > shared) or self._ways.alone(plan, "first", 0))

    def hidden(self, texts: Sequence[str], source: str) -> np.ndarray:
        if source not in ("layer-input", "feed-forward"):
            raise SpecificationError(
                f"Hidden states are those of 'layer-input' or 'feed-forward'; not {source!r}."
            )

        @torch.inference_mode()
        def read_all(pause: Pause) -> np.ndarray:
            states = []
            for text in texts:
                pause()
                tokens = self.reader.tokens(Rendered(text, slice(0, len(text)), True))
                states.append(hidden_states(self._passes, tokens, source).cpu().numpy())
            return np.stack(states)

        return self._thread.run(read_all)

    def pullback(
        self, adapters: Sequence[Adapter], sheet: Sheet
    ) -> tuple[Answers, Callable[[Answers], np.ndarray]]:
        asked = list(adapters)
        groups = self._groups(asked)
        if len({width for _, _, width, _ in groups}) != 1 or "" in {
            place for _, place, _, _ in groups
        }:
            raise SpecificationError(
                "Gradients are taken of soft prompts of one length; some adapters have none or another."
            )
        answers = self.answer(asked, sheet)
        return answers, lambda cotangent: self._thread.run(
            lambda pause: self._pull(asked, sheet, cotangent, pause)
        )

    def _pull(
        self, adapters: list[Adapter], sheet: Sheet, cotangent: Answers, pause: Pause
    ) -> np.ndarray:
        """(P, tokens, D), group by group of what can share a pass."""
        gradients: dict[int, np.ndarray] = {}
        for (text, placement, width, loras), members in self._groups(adapters).items():
            # Of its own: what was computed in passing cannot be a part of a gradient.
            plan = Plan.of(sheet, text, self.reader, self._passes.along, self.model.device)
            with torch.inference_mode():
                usual = self._plan(sheet, text, loras) if sheet.questions else plan
                alone = self._ways.alone(usual, placement, width) if sheet.questions else None
            vectors = np.stack([self._vectors(adapters[number]) for number in members])
            prompts = torch.as_tensor(vectors).to(self.model.device, self.model.dtype)

            def ask(some: Tensor, plan: Plan = plan, place: str = placement, alone: Any = alone,
                    text: str = text) -> Read:  # fmt: skip
                pause()
                labels = some.new_zeros((len(some), 0, 0))
                if sheet.questions:
                    plan.continuations = None
                    scores = self._scores(plan, some, place, bool(alone))
                    labels = scores.labels.masked_fill(~plan.offered, -torch.inf).softmax(-1)
                return labels, *self._read_texts(sheet, text, some, place)

            rows = max(1, self._candidates_per_pass(plan, width, placement) // _GRADIENT_SHARE) if (
                sheet.questions) else 1  # fmt: skip
            part = replace(
                cotangent,
                probabilities=cotangent.probabilities[members],
                divergence=cotangent.divergence[members],
                surprise=cotangent.surprise[members],
            )
            with self._passes.under(loras):
                pulled = pull(prompts, part, ask, rows)
            gradients.update(zip(members, pulled, strict=True))
        return np.stack([gradients[number] for number in range(len(adapters))])

    def close(self) -> None:
        self._thread.close()
        self._batch.fail(ModelError("The engine was closed while it wrote."))
        self._plans.clear()

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- in the thread ---------------------------------------------------------------------------

    @torch.inference_mode()
    def _answer(
        self, adapters: list[Adapter], sheet: Sheet, plainly: bool, pause: Pause
    ) -> Answers:
        count, texts = len(adapters), len(sheet.texts)
        probabilities = np.zeros((count, len(sheet.questions), sheet.width), np.float32)
        mass = np.full(probabilities.shape[:2], np.nan, np.float32)
        divergence, surprise = np.zeros((2, count, texts), np.float32)
        for (text, placement, _, loras), members in self._groups(adapters).items():
            # Without a soft prompt all of them are one and the same.
            some = members if placement else members[:1]
            vectors = np.stack([self._vectors(adapters[number]) for number in some])
            prompts = torch.as_tensor(vectors).to(self.model.device, self.model.dtype)
            with self._passes.under(loras):
                if sheet.questions:
                    plan = self._plan(sheet, text, loras)
                    given = self._rows(plan, prompts, placement, plainly, pause)
                    probabilities[members], mass[members] = given
                if sheet.texts:
                    pause()
                    both = self._read_texts(sheet, text, prompts, placement)
                    divergence[members], surprise[members] = (part.cpu().numpy() for part in both)
        answers = Answers.of(probabilities, texts)
        return replace(answers, mass=mass, divergence=divergence, surprise=surprise)

    def _read_texts(
        self, sheet: Sheet, text: str, prompts: Tensor, placement: str
    ) -> tuple[Tensor, Tensor]:
        """(rows, texts) divergence and surprise of the texts of a sheet."""
        asked, bare = (
            [tokenize_text(*pair, self.reader, before) for pair in sheet.texts]
            for before in (text, "")
        )
        return read(self._passes, asked, bare, prompts, placement)

    def _vectors(self, adapter: Adapter) -> np.ndarray:
        """(tokens, D); no tokens without a soft prompt."""
        if adapter.prompt is None:
            return np.zeros((0, self.model.embedding_width), np.float32)
        return adapter.prompt.vectors

    def _groups(self, adapters: Sequence[Adapter]) -> dict[Kind, list[int]]:
        """Adapters by what can share a pass: updates, the text, place and length of the prompt."""
        groups: dict[Kind, list[int]] = {}
        for number, adapter in enumerate(adapters):
            if adapter.gate is not None:
                raise SpecificationError("This engine applies no gate over several LoRA yet.")
            prompt = adapter.prompt
            if prompt is not None and prompt.vectors.shape[1] != self.model.embedding_width:
                raise SpecificationError(
                    f"A soft prompt for {self.model.name!r} is {self.model.embedding_width} wide; not "
                    f"{prompt.vectors.shape[1]}."
                )
            placed = (prompt.placement, len(prompt)) if prompt is not None else ("", 0)
            groups.setdefault((adapter.text, *placed, adapter.loras), []).append(number)
        return groups

    def _rows(
        self, plan: Plan, prompts: Tensor, placement: str, plainly: bool, pause: Pause
    ) -> tuple[np.ndarray, np.ndarray]:
        """(rows, questions, labels) probabilities and (rows, questions) mass."""
        self._check_positions(plan, prompts.shape[1])
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        done = 0
        while done < len(prompts):
            pause()
            # In equal passes: one candidate left over would round differently, as a matrix of one
            # row takes another path, and workers that cut elsewhere would not give the same bits.
            left = len(prompts) - done
            at_once = self._candidates_per_pass(plan, prompts.shape[1], placement)
            passes = math.ceil(left / at_once)
            batch = prompts[done : done + math.ceil(left / passes)]
            try:
                parts.append(self._pass(plan, batch, placement, plainly))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise OutOfMemoryError(
                        f"Memory ran out on {self.model.device} for a single candidate of "
                        f"{self.model.name!r}; use a smaller dtype, a smaller model or a larger device."
                    ) from error
                self.batch_size = len(batch) // 2
                continue
            done += len(batch)
        return np.concatenate([p for p, _ in parts]), np.concatenate([m for _, m in parts])

    def _pass(
        self, plan: Plan, prompts: Tensor, placement: str, plainly: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        if placement:
            self._ways.refuse_other_embeddings(plan)
        if plainly:
            return _finished(self._passes.plainly(plan, prompts, placement, 1), plan)
        alone = bool(self._ways.alone(plan, placement, prompts.shape[1]))
        return _finished(self._scores(plan, prompts, placement, alone), plan)

    def _scores(self, plan: Plan, prompts: Tensor, placement: str, alone: bool) -> Scores:
        if alone:
            rows = self._rows_per_pass(plan.longest + prompts.shape[1])
            return self._passes.plainly(plan, prompts, placement, rows)
        if placement == "last":
            return self._passes.behind(plan, prompts)
        return self._passes.in_a_row(plan, prompts, placement == "message", not placement)

    def _check_positions(self, plan: Plan, width: int) -> None:
        most = self._ways.limits.positions
        if most is not None and plan.longest + width > most:
            raise ModelError(
                f"The longest question has {plan.longest:,} tokens, {plan.longest + width:,} with the "
                f"soft prompt, and {self.model.name!r} has learned {most:,} positions; ask shorter "
                "questions, or use fewer virtual tokens."
            )

    def _plan(self, sheet: Sheet, text: str, loras: tuple[Lora, ...] = ()) -> Plan:
        key = (sheet.digest, text, loras)
        if key not in self._plans:
            if len(self._plans) == _PLANS:  # the sheet of a search is asked first, and stays
                self._plans.popitem()
            model, device = self._passes.along, self.model.device
            self._plans[key] = Plan.of(sheet, text, self.reader, model, device)
        return self._plans[key]

    def candidates_per_pass(self, tokens: int, placement: str, sheet: Sheet) -> int:
        """How many soft prompts of ``tokens`` go into one pass."""
        return self._candidates_per_pass(self._plan(sheet, ""), tokens, placement)

    def _candidates_per_pass(self, plan: Plan, tokens: int, placement: str) -> int:
        if self.batch_size is not None:
            return self.batch_size
        last = placement == "last" and tokens > 0
        each = tokens * len(plan.questions) if last else tokens + len(plan.tree(False).tokens)
        return max(1, self._tokens_per_pass(each, plan.longest + tokens if last else 0) // each)

    def _rows_per_pass(self, length: int) -> int:
        return max(1, self._tokens_per_pass(length, length) // length)

    def _tokens_per_pass(self, each: int, beside: int) -> int:
        at_once = _TOKENS_PER_PASS
        while at_once > each and at_once * bytes_per_token(self.model, beside) > self._room:
            at_once //= 2
        return at_once


def _finished(scores: Scores, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    offered = scores.labels.masked_fill(~plan.offered, -torch.inf)
    probabilities = offered.softmax(-1)
    # One question without a finite number makes the whole candidate's scores meaningless.
    broken = ~probabilities.isfinite().all(-1).all(-1)
    probabilities[broken] = torch.nan
    mass = probabilities.new_full(probabilities.shape[:2], torch.nan)
    if scores.total is not None:
        mass = (offered.logsumexp(-1) - scores.total).exp()
    return probabilities.cpu().numpy(), mass.cpu().numpy()
