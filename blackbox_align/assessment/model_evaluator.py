"""A model as assessment asks it: loaded when it is needed, and never asked the same twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..engines.local import questions
from ..errors import ModelError
from ..surveys.survey import Item, Survey
from .answer_cache import AnswerCache

if TYPE_CHECKING:
    from ..engines.checkpoint import Checkpoint


@dataclass(frozen=True)
class ModelEvaluator:
    """An evaluator (see :class:`..engines.Evaluator`) that keeps its answers in a cache, if it has one.

    The soft prompt stands at ``placement``, one of :data:`..engines.base.PLACEMENTS`. The model is
    loaded at the first question that the cache does not know. Nothing of a survey stays
    in memory after it was answered.
    """

    checkpoint: Checkpoint
    cache: AnswerCache | None = None
    placement: str = "first"

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        return np.stack([self._answer_from_cache(prompt, survey) for prompt in soft_prompts])

    def can_answer(self, survey: Survey, item: Item) -> bool:
        """Whether the labels of an item are single tokens of this model."""
        key = self._key(b"labels", survey, item)
        known = self.cache.get([key]) if self.cache else {}
        if key not in known:
            try:
                part = replace(survey, items=(item,), indices=())
                questions.tokenize_survey(part, self.checkpoint.model.tokenizer)
                known[key] = np.ones(1, np.float32)
            except ModelError:
                known[key] = np.zeros(1, np.float32)
            if self.cache:
                self.cache.put(known)
        return bool(known[key][0])

    def _answer_from_cache(self, soft_prompt: np.ndarray, survey: Survey) -> np.ndarray:
        """(items, width) float32."""
        prompt = np.ascontiguousarray(soft_prompt, np.float32)
        before = f"{len(prompt)} tokens {self.placement}\n".encode() + prompt.tobytes()
        keys = [self._key(before, survey, item) for item in survey.items]
        known = self.cache.get(keys) if self.cache else {}
        asked = {
            key: item for key, item in zip(keys, survey.items, strict=True) if key not in known
        }
        if asked:
            part = replace(survey, items=tuple(asked.values()), indices=())
            given = self._answer(prompt, part)
            fresh = {
                key: row[: len(item.scale)]
                for (key, item), row in zip(asked.items(), given, strict=True)
            }
            if self.cache and np.isfinite(given).all():
                self.cache.put(fresh)
            known |= fresh
        answers = np.zeros((len(keys), survey.width), np.float32)
        for row, key in zip(answers, keys, strict=True):
            row[: len(known[key])] = known[key]
        return answers

    def _answer(self, soft_prompt: np.ndarray, survey: Survey) -> np.ndarray:
        from ..engines.local.in_process import InProcessEvaluator

        model = self.checkpoint.model
        if not len(soft_prompt):  # un-prompted, whatever the width
            soft_prompt = np.zeros((0, model.embedding_width), np.float32)
        evaluator = InProcessEvaluator(model, placement=self.placement)
        return evaluator.answer(soft_prompt[None], survey)[0]

    def _key(self, before: bytes, survey: Survey, item: Item) -> bytes:
        """A hash of everything that an answer follows from; ``before`` is what stands before it."""
        asked = json.dumps([survey.question(item), item.scale.labels], ensure_ascii=False)
        digest = hashlib.sha256(self._identity)
        for part in (before, asked.encode()):
            digest.update(hashlib.sha256(part).digest())
        return digest.digest()

    @cached_property
    def _identity(self) -> bytes:
        """Which model this is. Its revision covers weights and tokenizer; the code that turns a
        question into tokens counts by its content, so that no change to it is answered from before.
        """
        here = self.checkpoint
        code = hashlib.sha256(Path(questions.__file__).read_bytes()).hexdigest()
        libraries = [f"{name} {version(name)}" for name in ("torch", "transformers")]
        parts = [here.revision, str(here.dtype), here.device.type, code, *libraries]
        return json.dumps(parts).encode()
