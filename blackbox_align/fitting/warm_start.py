"""A search that starts from the evaluations of an earlier run: its record is read, no model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..adapters import FullSpace, Parameterization
from ..engines import Engine
from ..errors import SpecificationError
from ..optimizers import Evaluation, Optimizer
from ..optimizers.probe import Probe
from .asking import Asked, search_space, unit_of
from .data import PROMPT, generator, load_data
from .format_1 import in_questions, vectors_by_asking
from .problem import Problem, pose
from .record import Record
from .search import Standing
from .searcher import make_optimizer, options_of
from .settled import as_recorded, recorded_facts, with_defaults
from .specification import Specification, option


def observe(
    earlier: Record,
    problem: Problem,
    facts: Mapping[str, Any],
    optimizer: Optimizer,
    standing: Standing,
    spaces: tuple[Parameterization, Parameterization],
) -> dict[str, Any]:
    """Start from the evaluations of an earlier run: its prompts, in the coordinates of this search.

    ``spaces`` are those of the earlier run and of this one.
    """
    refuse_other_prompts(earlier, problem.specification, facts)
    past = earlier.past(vectors=True)
    earlier.refuse_damage(past)
    vectors: list[np.ndarray] = []
    entries = past.entries
    if past.vectors is None:
        settings = earlier.specification
        its_own = pose(load_data(settings, earlier.facts), Asked(), earlier.facts)
        former = options_of(its_own, earlier.facts)
        entries = tuple(in_questions(entry, its_own) for entry in entries)
        vectors, _ = vectors_by_asking(
            earlier.path / "journal.jsonl",
            entries,
            make_optimizer(its_own, spaces[0].dimension, earlier.stopping, former),
            lambda answers, first: its_own.score(answers, first)[0],
        )
    else:
        vectors = [past.vectors_of(entry) for entry in entries]
    known: list[Evaluation] = []
    vectors = [_moved(before, *spaces, earlier) for before in vectors]
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


def with_its_steps(
    options: Mapping[str, Any], earlier: Record | None, now: Specification
) -> dict[str, Any]:
    """Options of a search that starts from an earlier run and so has no probe of its own: a first spread
    that they leave open is the one that the earlier run measured, in the same coordinates."""
    if earlier is None:
        return dict(options)
    measured, then = earlier.facts.get("probe"), earlier.specification
    same = (then.alpha, then.subspace) == (now.alpha, now.subspace)
    if measured is None or not same or options.get("spread", 0.0) is not None:
        return dict(options)
    return {**options, "spread": Probe(**measured).spread}


def space_of(earlier: Record, engine: Engine) -> Parameterization:
    """What an earlier run searched."""
    recorded = recorded_facts(earlier)
    settings = as_recorded(earlier.specification, recorded)
    return search_space(settings, engine, generator(settings, PROMPT), unit_of(engine, recorded))


def _moved(
    vectors: np.ndarray, before: Parameterization, now: Parameterization, earlier: Record
) -> np.ndarray:
    """The vectors (P, d) of ``now`` that stand for the prompts of others of ``before``."""
    if before == now:
        return vectors
    if not isinstance(now, FullSpace):
        raise SpecificationError(
            f"The run {earlier.path} searched another space (other --subspace, --seed, --init or --alpha), "
            "whose prompts do not lie in this subspace; ask for the same, or leave out --from or --subspace."
        )
    return now.coordinates(before.soft_prompts(vectors))


def refuse_other_prompts(earlier: Record, now: Specification, facts: Mapping[str, Any]) -> None:
    """What was answered says something here only if the same was asked under prompts of the same kind."""
    then = earlier.specification
    keys = ["objective"]
    if now.fits_opinions:
        keys += ["held_out", "seed"]  # they draw the questions to fit
    other = [option(key) for key in keys if getattr(then, key) != getattr(now, key)]
    same = {"survey_sha256": "survey", "model_revision": "model", "dtype": "dtype",
            "fit_questions": "opinions", "orders": "orders", "placement": "placement",
            "length": "tokens",
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
