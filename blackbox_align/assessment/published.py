"""Published scores, to stand under a table that was made in the same way for the same model."""

from __future__ import annotations

from collections.abc import Collection

# arXiv 2412.11167, 18 countries: 100 x (1 - JS distance in nats), the mean over them. Its equation says
# divergence; only the distance in nats gives such figures, since even a uniform guess has 88 and 83 by the
# divergence.
_SOURCE = "Cultural Palette, arXiv 2412.11167"
_ROWS = ("vanilla", "prompting", "Cultural Palette")
_POINTS = {"llama-3.1-8b": (63.76, 66.43, 75.90), "qwen2.5-7b": (61.18, 61.58, 73.64)}


def published_note(
    model: str, title: str, countries: Collection[str], group: Collection[str]
) -> str | None:
    """A sentence with the published rows of a model, if the table is of the same countries.

    The questions behind the published figures are not known, so the sentence says that as well.
    """
    if title != "GlobalOpinionQA" or set(countries) != set(group):
        return None
    name = model.casefold().replace("meta-", "")
    for known, points in _POINTS.items():
        if known in name:
            rows = zip(_ROWS, points, strict=True)
            figures = ", ".join(f"{row} {value / 100:.3f}" for row, value in rows)
            return (
                f"Published for this model and these countries in 1 - JS distance (nats): {figures} "
                f"({_SOURCE}); on which questions, and with which options, is not known."
            )
    return None
