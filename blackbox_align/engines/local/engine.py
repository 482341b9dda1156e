"""A transformers model in this process, asked from a thread of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...adapters.adapter import Adapter, Gate, Lora
from ...errors import ModelError, OutOfMemoryError, SpecificationError
from ...surveys.sheet import Question, Sheet
from ..base import KINDS, VERBS, Answers, EngineInfo, Reply, Request
from ..checkpoint import LanguageModel
from .blend import gates_of
from .chat import ChatFormat, Reader, Rendered
from .decoding import Group as Voices
from .decoding import RunningBatch, Writing, begin_text, end_tokens, tokens_to_write
from .detokenizer import Speller
from .gradients import Group, Pull, Read, pulled
from .hidden import hidden_states
from .memory import free_memory, is_out_of_memory, keep_freed_memory
from .passes import Passes, Scores
from .plan import Plan, Plans
from .questions import why_not_asked
from .shadow import check_causal
from .sizes import (
    SHARE_OF_MEMORY,
    candidates_per_pass,
    in_a_known_size,
    parts_of,
    tokens_in_all,
    tokens_per_pass,
)
from .texts import Reading, Readings, read
from .thread import JobThread
from .threads import own_threads, products_of
from .warm import OnSize, warm_up
from .ways import Ways

_TRIAL = Sheet((Question("Which is it?\n1 = this, 2 = that", ("1", "2")),))
_GRADIENT_SHARE = 8  # of a pass: what leads to an answer is kept for its gradient

Pause = Callable[[], None]
Updates = tuple[tuple[Lora, ...], tuple[Gate, ...]]
Kind = tuple[str, str, int, Updates]


class LocalEngine:
    """A model in this process; see :class:`..base.Engine`.

    Parameters
    ----------
    model : which stays as it is, whatever is asked
    batch_size : candidates per pass; by default as many as keep a device busy and fit into the
        memory that is free when the engine is made. It is halved, for good, should memory run out
        all the same. Answers depend on it by float noise only
    form : what is put around a question
    compile : ``auto`` compiles the layers on a GPU before a search that is long enough (:meth:`warm_up`),
        ``never`` nowhere, ``always`` for whatever is asked, on a CPU as well

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
        compile: str = "auto",
    ) -> None:
        check_causal(model)
        self.model, self.batch_size = model, batch_size
        self.reader = Reader(model.tokenizer, form)
        devices = {parameter.device for parameter in model.model.parameters()}
        self._room = SHARE_OF_MEMORY * min(map(free_memory, devices))
        if model.device.type == "cpu":
            keep_freed_memory()
        self._passes = Passes(model, compile)
        self._ways = Ways(model, self._passes)
        self._batch = RunningBatch(
            self._passes, end_tokens(model.model, model.tokenizer), model.tokenizer
        )
        self.spell = Speller(model.tokenizer).spell
        self._plans = Plans()
        self._readings = Readings(self.reader)
        self._thread = JobThread(own_threads(model.model), products_of(model))

    @property
    def info(self) -> EngineInfo:
        return self.model.described(
            opening=self.reader.opening,
            date=self.reader.dated,
            positions=self._ways.limits.positions,
            **self.model.places("message" if self.reader.template else "first"),
            can=frozenset({*VERBS, *KINDS}),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was found out while it was asked, such as that it is asked slowly."""
        return self._ways.notes

    @property
    def way(self) -> str:
        """How questions that share a pass are computed."""
        return self._ways.taken

    @property
    def threads(self) -> int:
        """With how many threads of torch this caller's jobs run."""
        return self._thread.threads

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        return self._thread.run(lambda pause: self._answer(list(adapters), sheet, plainly, pause))

    def warm_up(
        self, adapter: Adapter, sheet: Sheet, candidates: int, seconds: float, on_size: OnSize
    ) -> int:
        """Before a search of ``seconds``, whose asks are of up to so many like ``adapter``: :mod:`.warm`."""

        def begin(pause: Pause) -> int:
            plan, prompt = self._plan(sheet, adapter.text), adapter.prompt
            place = (len(prompt), prompt.placement) if prompt else (0, "")
            most = min(candidates, self._candidates_per_pass(plan, *place))
            ask = partial(self._answer, sheet=sheet, plainly=False, pause=pause)
            return warm_up(self._passes, [adapter] * most, seconds, ask, on_size)

        return self._thread.run(begin)

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        return self._thread.run(lambda pause: self.model.embed(tokens))

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.model.tokenizer(text, add_special_tokens=False).input_ids)

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        """For every question None, or a sentence why this model cannot be asked it."""
        return tuple(why_not_asked(question, self.reader) for question in sheet.questions)

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
                    if self._batch.join(Voices.of(writing, before, self._passes, alone)):
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
        kinds = self._groups(asked)
        if len({width for _, _, width, _ in kinds}) != 1 or any(not kind[1] for kind in kinds):
            raise SpecificationError(
                "Gradients are taken of soft prompts of one length; some adapters have none or another."
            )

        def begin(pause: Pause) -> tuple[Answers, Pull]:
            groups = [
                self._gradient_group(sheet, kind, [asked[n] for n in members], members, pause)
                for kind, members in kinds.items()
            ]
            return pulled(groups, lambda: self._answer(asked, sheet, False, pause))

        answers, pull = self._thread.run(begin)
        return answers, lambda cotangent: self._thread.run(lambda pause: pull(cotangent))

    def _gradient_group(
        self, sheet: Sheet, kind: Kind, adapters: list[Adapter], members: list[int], pause: Pause
    ) -> Group:
        text, placement, width, updates = kind
        alone, rows = False, 1
        # Of its own: no tensor of an inference can be a part of a gradient.
        plan = self._plan(sheet, text, updates, gradients=True) if sheet.questions else None
        with torch.inference_mode():
            reading = self._readings.of(sheet.texts, text).anew()
            if plan is not None:
                usual = self._plan(sheet, text, updates)
                self._ways.check_positions(usual, width)
                self._ways.refuse_other_embeddings(usual)
                alone = bool(self._ways.alone(usual, placement, width))
                rows = max(1, self._candidates_per_pass(usual, width, placement) // _GRADIENT_SHARE)
        prompts = torch.as_tensor(np.stack([self._vectors(adapter) for adapter in adapters]))

        def ask(some: Tensor) -> Read:
            pause()
            labels = some.new_zeros((len(some), 0, 0))
            if plan is not None:
                scores = self._scores(plan, some, placement, alone)
                labels = scores.labels.masked_fill(~plan.offered, -torch.inf).softmax(-1)
            return labels, *self._read(reading, some, placement)

        placed = prompts.to(self.model.device, self.model.dtype)
        return Group(members, placed, ask, rows, lambda: self._passes.under(*updates))

    def close(self) -> None:
        self._thread.close()
        self._batch.fail(ModelError("The engine was closed while it wrote."))
        self._plans.clear()
        self._readings.clear()

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
        for (text, placement, _, updates), members in self._groups(adapters).items():
            # Without a soft prompt all of them are one and the same.
            some = members if placement else members[:1]
            vectors = np.stack([self._vectors(adapters[number]) for number in some])
            prompts = torch.as_tensor(vectors).to(self.model.device, self.model.dtype)
            with self._passes.under(*updates):
                if sheet.questions:
                    plan = self._plan(sheet, text, updates)
                    given = self._rows(plan, prompts, placement, plainly, pause)
                    probabilities[members], mass[members] = given
                if sheet.texts:
                    pause()
                    both = self._read(self._readings.of(sheet.texts, text), prompts, placement)
                    divergence[members], surprise[members] = (part.cpu().numpy() for part in both)
        answers = Answers.of(probabilities, texts)
        return replace(answers, mass=mass, divergence=divergence, surprise=surprise)

    def _read(self, reading: Reading, prompts: Tensor, placement: str) -> tuple[Tensor, Tensor]:
        """(rows, texts) divergence and surprise."""
        if not reading.asked:
            return (nothing := prompts.new_zeros((len(prompts), 0))), nothing
        try:
            alone = bool(self._ways.alone(self._plan(_TRIAL, ""), placement, prompts.shape[1]))
        except ModelError:  # labels that are no single tokens
            alone = True
        return read(self._passes, reading, prompts, placement, alone)

    def _vectors(self, adapter: Adapter) -> np.ndarray:
        """(tokens, D); no tokens without a soft prompt."""
        if adapter.prompt is None:
            return np.zeros((0, self.model.embedding_width), np.float32)
        return adapter.prompt.vectors

    def _groups(self, adapters: Sequence[Adapter]) -> dict[Kind, list[int]]:
        """Adapters by what can share a pass: updates, the text, place and length of the prompt."""
        groups: dict[Kind, list[int]] = {}
        for number, adapter in enumerate(adapters):
            prompt = adapter.prompt
            if prompt is not None and prompt.vectors.shape[1] != self.model.embedding_width:
                raise SpecificationError(
                    f"A soft prompt for {self.model.name!r} is {self.model.embedding_width} wide; not "
                    f"{prompt.vectors.shape[1]}."
                )
            placed = (prompt.placement, len(prompt)) if prompt is not None else ("", 0)
            kind = (adapter.text, *placed, (adapter.loras, gates_of(adapter, self._passes.plain)))
            groups.setdefault(kind, []).append(number)
        return groups

    def _rows(
        self, plan: Plan, prompts: Tensor, placement: str, plainly: bool, pause: Pause
    ) -> tuple[np.ndarray, np.ndarray]:
        """(rows, questions, labels) probabilities and (rows, questions) mass."""
        self._ways.check_positions(plan, prompts.shape[1])
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        done = 0
        while done < len(prompts):
            pause()
            # In equal passes: one candidate left over would round differently, as a matrix of one
            # row takes another path, and workers that cut elsewhere would not give the same bits.
            left = len(prompts) - done
            at_once = self._candidates_per_pass(plan, prompts.shape[1], placement)
            batch = prompts[done : done + math.ceil(left / math.ceil(left / at_once))]
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
            return self._passes.plainly(plan, prompts, placement, 1).finished(plan)
        alone = bool(self._ways.alone(plan, placement, prompts.shape[1]))
        pads = self.model.device.type == "cuda" and not self._passes.hooked
        whole = in_a_known_size(prompts) if pads else prompts
        probabilities, mass = self._scores(plan, whole, placement, alone).finished(plan)
        return probabilities[: len(prompts)], mass[: len(prompts)]

    def _scores(self, plan: Plan, prompts: Tensor, placement: str, alone: bool) -> Scores:
        if alone:
            length = plan.longest + prompts.shape[1]
            rows = max(1, tokens_per_pass(self.model, self._room, length, length) // length)
            return self._passes.plainly(plan, prompts, placement, rows)
        parts = parts_of(plan)
        given = [self._in_one_row(part, prompts, placement) for part in parts]
        return given[0] if len(parts) == 1 else Scores.joined(given, plan.places)

    def _in_one_row(self, plan: Plan, prompts: Tensor, placement: str) -> Scores:
        if placement == "last":
            return self._passes.behind(plan, prompts)
        return self._passes.in_a_row(plan, prompts, placement == "message", not placement)

    def _plan(
        self, sheet: Sheet, text: str, updates: Updates = ((), ()), gradients: bool = False
    ) -> Plan:
        return self._plans.of(
            (sheet.digest, text, updates, gradients),
            lambda: Plan.of(sheet, text, self.reader, self._passes.along, self.model.device),
        )

    def tokens_of(self, adapter: Adapter, sheet: Sheet) -> int:
        """Tokens that every candidate like ``adapter`` adds to a pass: its price."""
        read = self._readings.of(sheet.texts, adapter.text).tokens
        asked = self._plan(sheet, adapter.text) if sheet.questions else None
        return read + (tokens_in_all(asked, adapter.prompt) if asked else 0)

    def candidates_per_pass(self, tokens: int, placement: str, sheet: Sheet) -> int:
        """How many soft prompts of ``tokens`` go into one pass."""
        return self._candidates_per_pass(self._plan(sheet, ""), tokens, placement)

    def _candidates_per_pass(self, plan: Plan, tokens: int, placement: str) -> int:
        most = candidates_per_pass(self.model, self._room, plan, tokens, placement)
        return self.batch_size or most
