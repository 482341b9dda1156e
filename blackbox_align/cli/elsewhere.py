"""``bbalign ask --engine URL``: models that are served at an address, in the place of a library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import SpecificationError
from .options import panel

if TYPE_CHECKING:
    from numpy.random import Generator

    from ..committee import Decision

Address = Annotated[
    str | None,
    panel("How it is answered")(
        "--engine",
        help="Ask the models served at an address, http://localhost:8000/v1, instead of a library; the key "
        "is taken from BBALIGN_API_KEY.",
    ),
]


def ask_elsewhere(
    url: str,
    question: str,
    survey: Any,
    population: str | None,
    form: str,
    samples: int,
    rng: Generator,
    others: Sequence[Any],
) -> tuple[Decision, dict[str, Any]]:
    """The decision over the models at an address, and what they answer where it does not abstain.

    ``others`` are settings that need experts of a library; :class:`SpecificationError` where one is given.
    """
    from ..committee import decide, simulated_note, told_shares
    from ..committee.asking import ORDERS
    from ..serving.elsewhere import answer_closed_elsewhere, served_experts

    if survey is None:
        raise SpecificationError("Models at an address are asked closed questions; give --options.")
    if form == "composed" or any(others):
        raise SpecificationError(
            "With --engine the models are those that are served there, and no more is known of them; leave "
            "--as composed, --model, --like, --profile, --combine and --chat out."
        )
    key = os.environ.get("BBALIGN_API_KEY", "")
    experts: Any = served_experts(url, key)
    decision = decide(question, experts, population=population)
    answered: dict[str, Any] = {}
    if not decision.abstains:
        parts, mixture = answer_closed_elsewhere(url, decision, survey, ORDERS, key)
        answered = told_shares(parts, mixture, decision, survey, form, samples, rng)
    return decision, {**answered, "note": simulated_note(url, "")}
