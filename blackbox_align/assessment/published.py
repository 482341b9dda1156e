"""Published scores, to stand under a table that was made in the same way for the same model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What a paper reports for a model: 100 x (1 - JS distance in nats), mean over its countries."""

    model: str
    source: str
    rows: tuple[tuple[str, float], ...]


# arXiv 2412.11167, 18 countries. Its equation says divergence; only the distance in nats gives such
# figures, since even a uniform guess has 88 and 83 by the divergence.
CULTURAL_PALETTE = (
    Published(
        "llama-3.1-8b",
        "Cultural Palette, arXiv 2412.11167",
        (("vanilla", 63.76), ("prompting", 66.43), ("Cultural Palette", 75.90)),
    ),
    Published(
        "qwen2.5-7b",
        "Cultural Palette, arXiv 2412.11167",
        (("vanilla", 61.18), ("prompting", 61.58), ("Cultural Palette", 73.64)),
    ),
)


def published_note(
    model: str, title: str, countries: Collection[str], group: Collection[str]
) -> str | None:
    """A sentence with the published rows of a model, if the table is of the same countries.

    The questions behind the published figures are not known, so the sentence says that as well.
    """
    if title != "GlobalOpinionQA" or set(countries) != set(group):
        return None
    name = model.casefold().replace("meta-", "")
    for entry in CULTURAL_PALETTE:
        if entry.model in name:
            figures = ", ".join(f"{row} {value / 100:.3f}" for row, value in entry.rows)
            return (
                f"Published for this model and these countries in 1 - JS distance (nats): {figures} "
                f"({entry.source}); on which questions, and with which options, is not known."
            )
    return None
