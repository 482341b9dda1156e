"""An engine over the evaluator as it was, until the engine of a model in process takes its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter
from ..engines.base import Answers, EngineInfo
from ..engines.checkpoint import LanguageModel
from ..engines.local.in_process import InProcessEvaluator
from ..engines.local.questions import tokenize_survey
from ..errors import ModelError, OutOfMemoryError
from ..experts.parity import answer_plainly
from ..surveys.sheet import Sheet
from ..surveys.survey import Item, Scale, Survey


class _AsWritten(Survey):
    """A survey whose items are whole questions already."""

    def question(self, item: Item) -> str:
        return f"{self.preamble}\n{item.text}" if self.preamble else item.text


@dataclass(frozen=True)
class BridgeEngine:
    model: LanguageModel

    @property
    def info(self) -> EngineInfo:
        model = self.model
        dtype = str(model.dtype).removeprefix("torch.")
        return EngineInfo(
            model.name, model.revision, dtype, model.embedding_width, disclaimer=model.disclaimer,
            can=frozenset({"answer", "text", "first", "last"}),
        )  # fmt: skip

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        return Answers.concatenate([self._one(adapter, sheet, plainly) for adapter in adapters])

    def _one(self, adapter: Adapter, sheet: Sheet, plainly: bool) -> Answers:
        survey = replace(_survey(sheet), preamble=adapter.text)
        placement = adapter.prompt.placement if adapter.prompt else "first"
        nothing = np.zeros((0, self.model.embedding_width), np.float32)
        prompt = adapter.prompt.vectors if adapter.prompt else nothing
        if plainly:
            rows, mass = answer_plainly(prompt, self.model, survey, placement)
            return replace(Answers.of(rows[None]), mass=mass[None])
        try:
            evaluator = InProcessEvaluator(self.model, placement=placement)
            return Answers.of(evaluator.answer(prompt[None], survey))
        except ModelError as error:
            if "Memory ran out" in str(error):
                raise OutOfMemoryError(str(error)) from error
            raise

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        reasons: list[str | None] = []
        for question in sheet.questions:
            try:
                tokenize_survey(_survey(Sheet((question,))), self.model.tokenizer)
                reasons.append(None)
            except ModelError as error:
                reasons.append(str(error))
        return tuple(reasons)

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        return self.model.embed(tokens)

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.model.tokenizer(text, add_special_tokens=False).input_ids)

    def close(self) -> None:
        pass

    def submit(self, request: Any) -> Any:
        raise NotImplementedError

    def hidden(self, texts: Any, source: Any) -> Any:
        raise NotImplementedError

    def pullback(self, adapters: Any, sheet: Any) -> Any:
        raise NotImplementedError


def _survey(sheet: Sheet) -> _AsWritten:
    items = tuple(
        Item(str(n), q.text, Scale("", q.labels, q.labels, tuple(map(float, range(len(q.labels))))))
        for n, q in enumerate(sheet.questions)
    )
    return _AsWritten("sheet", "sheet", 1, "", items)
