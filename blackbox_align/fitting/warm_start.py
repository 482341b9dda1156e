"""A search that starts from the evaluations of an earlier run: its record is read, no model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import SpecificationError
from ..optimizers import Evaluation, Optimizer
from .asking import Asked
from .format_1 import in_questions, vectors_by_asking
from .problem import Problem, load_data, make_optimizer, pose
from .record import Record
from .search import Standing
from .settled import recorded_facts, with_defaults
from .specification import Specification, option


def observe(
    earlier: Record,
    problem: Problem,
    facts: Mapping[str, Any],
    optimizer: Optimizer,
    standing: Standing,
) -> dict[str, Any]:
    """Start from the evaluations of an earlier run, which was searching the same prompts."""
    refuse_other_space(earlier, problem.specification, facts)
    past = earlier.past(vectors=True)
    earlier.refuse_damage(past)
    vectors: list[np.ndarray] = []
    entries = past.entries
    if past.vectors is None:
        settings = earlier.specification
        its_own = pose(load_data(settings, earlier.facts), Asked(), earlier.facts)
        entries = tuple(in_questions(entry, its_own) for entry in entries)
        vectors, _ = vectors_by_asking(
            earlier.path / "journal.jsonl",
            entries,
            make_optimizer(its_own, optimizer.dimension, earlier.stopping),
            lambda answers, first: its_own.score(answers, first)[0],
        )
    else:
        vectors = [past.vectors_of(entry) for entry in entries]
    known: list[Evaluation] = []
    for before, entry in zip(vectors, entries, strict=True):
        evaluations, losses = problem.score(entry.answers, entry.ids[0], entry.divergence)
        known += evaluations
        validation = problem.validation_losses(entry.answers, entry.ids[0])
        penalties = problem.penalties(entry.divergence)
        standing.keep(before, losses, penalties, told=False, validation=validation)
    if known:  # at once, so that an optimizer may choose among all of them
        optimizer.observe(np.concatenate(vectors), known)
    return {
        "warm_start_evaluations": past.told,
        "warm_start_digest": past.entries[-1].digest if past.entries else "",
    }


def refuse_other_space(earlier: Record, now: Specification, facts: Mapping[str, Any]) -> None:
    """Vectors mean the same prompts only if everything that makes prompts of them is the same."""
    then = earlier.specification
    keys = ["objective", "tokens", "subspace", "alpha", "init"]
    if now.fits_opinions:
        keys.append("held_out")
    if now.subspace or now.init == "vocabulary" or now.fits_opinions:
        keys.append("seed")  # it draws the subspace, the words, or the questions to fit
    other = [option(key) for key in keys if getattr(then, key) != getattr(now, key)]
    same = {"survey_sha256": "survey", "model_revision": "model", "dtype": "dtype",
            "fit_questions": "opinions", "orders": "orders", "placement": "placement",
            "language": "language"}  # fmt: skip
    facts, recorded = with_defaults(now, facts), recorded_facts(earlier)
    if earlier.head["format"] == 1 and then.model == now.model:
        del same["model_revision"]  # what a revision covers has grown since
    other += [
        option(setting) for key, setting in same.items() if facts.get(key) != recorded.get(key)
    ]
    if other:
        raise SpecificationError(
            f"The run {earlier.path} searched other prompts (other {', '.join(other)}), so its "
            "evaluations say nothing here; ask for the same, or leave out --from."
        )
