"""Whom a fit asks: the model in this process or in workers, and what it answered without a prompt."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..adapters import Parameterization, from_text, from_vocabulary, parameterize, zeros
from ..engines import Evaluator, Workers
from ..errors import ModelError, RunError
from ..populations import Population
from ..surveys import Survey
from .specification import Specification

if TYPE_CHECKING:
    from ..engines.checkpoint import LanguageModel
    from ..engines.ray.pool import OnTrouble


@dataclass(frozen=True, eq=False)
class Asked:
    """What the model answers without a soft prompt, asked once and then known.

    ``known`` holds answers by survey and population, as :meth:`to_facts` records them; ``model`` and
    ``evaluator`` are None where only what is known can be had.
    """

    model: LanguageModel | None = None
    evaluator: Evaluator | None = None
    known: dict[str, np.ndarray] = field(default_factory=dict)

    def answers(self, survey: Survey, told: Population | None) -> np.ndarray:
        """(items, width) float32 answers of the model as it is, or when it is told whom to answer like.

        Raises :class:`ModelError` where they are not finite.
        """
        key = f"{survey.name} {told.code if told else ''}".strip()
        if key not in self.known:
            if self.model is None or self.evaluator is None:
                raise RunError(f"What the model answers ({key}) was not recorded.")
            preamble = told.preamble() if told else ""
            nothing = np.zeros((1, 0, self.model.embedding_width), np.float32)
            answers = self.evaluator.answer(nothing, survey.with_preamble(preamble))[0]
            if not np.isfinite(answers).all():
                raise ModelError(
                    f"The model {self.model.name!r} answers the survey with numbers that are not "
                    "finite. Try --dtype float32, and check its weights."
                )
            self.known[key] = answers
        return self.known[key]

    def to_facts(self) -> dict[str, Any]:
        """All that is known, as JSON."""
        return {
            key: {
                "shape": rows.shape,
                "answers": base64.b64encode(rows.astype("<f4").tobytes()).decode(),
            }
            for key, rows in self.known.items()
        }


def known_from(facts: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What :meth:`Asked.to_facts` recorded."""
    return {
        key: np.frombuffer(base64.b64decode(one["answers"]), "<f4").reshape(one["shape"])
        for key, one in facts.items()
    }


@contextmanager
def opened(
    settings: Specification, workers: Workers | None, on_trouble: OnTrouble
) -> Iterator[tuple[LanguageModel, Evaluator]]:
    """The model of ``settings``, and whoever answers with it: this process, or workers.

    With workers this process loads the model on the CPU, for its words and for the check of an expert.
    """
    from ..engines.checkpoint import load_model

    loading: dict[str, Any] = {
        key: getattr(settings, key) for key in ("revision", "device", "dtype", "trust_remote_code")
    }
    if workers is None:
        from ..engines.local.in_process import InProcessEvaluator

        model = load_model(settings.model, **loading)
        yield model, InProcessEvaluator(model, placement=settings.placement)
        return
    from ..engines.ray.pool import RayEvaluator
    from ..engines.ray.worker_model import LoadModel

    if settings.device == "cpu" and workers.gpus is None:
        workers = replace(workers, gpus=0.0)  # none is kept from others for nothing
    with RayEvaluator(workers, on_trouble=on_trouble) as pool:
        pool.connect()
        if loading["dtype"] == "auto" and pool.gpus:
            loading["dtype"] = "bfloat16"
        model = load_model(settings.model, **{**loading, "device": "cpu"})
        if loading["device"] == "auto" and pool.gpus > 1:
            loading["device"] = "spread"
        pool.load(
            LoadModel(
                settings.model, placement=settings.placement, expected=model.revision, **loading
            )
        )
        yield model, pool


def search_space(
    settings: Specification, model: LanguageModel, rng: np.random.Generator
) -> Parameterization:
    """The vectors that are searched, and the soft prompts that they stand for."""
    kind, _, text = settings.init.partition(":")
    if kind == "zeros":
        initial = zeros(model, settings.tokens)
    elif kind == "vocabulary":
        initial = from_vocabulary(model, settings.tokens, len(model.tokenizer), rng)
    else:
        ids = model.tokenizer(text, add_special_tokens=False).input_ids
        initial = from_text(model, settings.tokens, ids)
    return parameterize(
        initial, model.embedding_std(), subspace=settings.subspace, rng=rng, alpha=settings.alpha
    )
