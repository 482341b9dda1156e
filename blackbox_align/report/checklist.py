"""What a report of simulated answers has to say, filled in from the result; what is not known is said so."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..results.result import Result

UNKNOWN = "not recorded"


def checklist(result: Result) -> tuple[tuple[str, str], ...]:
    """Question and answer, in the order in which a reader asks.

    A result that brings a checklist of its own is taken by its word.
    """
    own: Any = getattr(result, "checklist", None)
    if own:
        items = own.items() if hasattr(own, "items") else own
        return tuple((str(question), str(answer)) for question, answer in items)
    return tuple((question, answer or UNKNOWN) for question, answer in _filled(result))


def _filled(result: Result) -> Iterator[tuple[str, str]]:
    known, search = result.provenance, result.search
    yield (
        "What was asked",
        "; ".join(
            f"{one.title} ({one.items} questions, {one.digest[:12]})" for one in known.instruments
        ),
    )
    yield "Of whom people's answers are", ", ".join(known.populations.values())
    yield (
        "Where people's answers are from",
        "; ".join(one.targets_title or one.source for one in known.instruments),
    )
    yield (
        "Model, revision, precision",
        ", ".join(part for part in (known.model, known.revision[:12], known.dtype) if part),
    )
    yield "How answers are read", f"{known.readout}, from the probabilities of the options' labels"
    yield "Orders of the options that were asked", known.orders
    yield "What was fitted", f"a soft prompt of {search.tokens} tokens" if search else "nothing"
    if search:
        yield (
            "Search",
            f"{search.optimizer}, seed {search.seed}, {search.evaluations:,} evaluations",
        )
        yield "How it ended", search.reason
    fitted = len(known.fitted_items)
    total = sum(one.items for one in known.instruments)
    yield "Held out of the search", (
        f"{total - fitted} of {total} questions" if fitted else "nothing: what was fitted is reported"
        if search else "nothing was fitted"
    )  # fmt: skip
    yield "Runs behind each figure", "1"
    yield "Intervals", (
        f"95 %, bootstrap of {known.resamples:,} draws over questions or indices, seed {known.seed}"
        if known.resamples else ""
    )  # fmt: skip
    yield "Position bias", (
        "not known" if result.bias is None or math.isnan(result.bias)
        else f"un-prompted item means asked straight and reversed correlate at {result.bias:+.2f}"
    )  # fmt: skip
    said = [
        f"{code}: perplexity of plain text {one.ratio:.2f} times un-prompted, {one.divergence:.3f} nats a "
        f"token from the model as it is, on {one.texts} texts"
        for code, one in (result.language or {}).items()
    ]
    yield "What is left of the model's language", "; ".join(said) or "not measured"
    yield "Versions", ", ".join(f"{name} {number}" for name, number in known.versions.items())
    yield "Were people asked for this", "no: these are simulated answers"
