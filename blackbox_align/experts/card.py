"""The card of an expert: what it is, what it scores, and what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_INDEX_LIMITS = (
    "Not for judging individuals: survey indices describe samples, not persons.",
    "Not evidence that a model knows a culture: a low error is a fit to twelve differences of item "
    "means, and the validity of these indices is contested (Minkov 2018; Gerlach and Eriksson 2021).",
    "Not comparable with published scores of people without an anchor: the constants are a choice "
    "of this study.",
    "Not a stand-in for asking people.",
)
_OPINION_LIMITS = (
    "Not for judging individuals: shares of answers describe samples, not persons.",
    "Not evidence that a model knows a culture: a fitted prompt may do no more than find how sharp "
    "answers are there; read the held-out questions, beside the baselines.",
    "Not a stand-in for asking people.",
)

# How the conditions of a result are called; those in parentheses ask no model, or not anew.
CONDITIONS = {
    "unprompted": "un-prompted",
    "country_in_text": "country in text",
    "fitted": "fitted",
    "uniform": "(uniform)",
    "mean_of_other_countries": "(mean of other countries)",
    "unprompted_fitted_temperature": "(un-prompted, fitted temperature)",
}


def limits(metadata: Mapping[str, Any]) -> list[str]:
    """What an expert may not be used for, by what it was fitted to."""
    return list(
        dict.fromkeys(
            (_INDEX_LIMITS if "table" in metadata else ())
            + (_OPINION_LIMITS if "opinions" in metadata else ())
        )
    )


def render_card(metadata: Mapping[str, Any], base_model: str) -> str:
    """A model card in Markdown with the front matter that hubs read."""
    sections = []
    if "opinions" in metadata:
        sections.append(_opinions(metadata))
    if "table" in metadata:
        sections.append(_indices(metadata))
    scores = "\n".join(sections)
    facts = metadata["facts"]
    hashes = [
        f"{name} {facts[key][:12]}"
        for name, key in (
            ("survey", "survey_sha256"),
            ("targets", "targets_sha256"),
            ("opinions", "opinions_sha256"),
            ("model revision", "model_revision"),
        )
        if key in facts
    ]
    provenance = ", ".join(hashes)
    notes = [f"{provenance[0].upper()}{provenance[1:]}; the full record is in `expert.json`."]
    if metadata.get("missing"):
        notes.append(f"No published figure, left out: {', '.join(metadata['missing'])}.")
    if metadata.get("estimate"):
        notes.append("The source calls the figures of this country an estimate.")
    if metadata["disclaimer"]:
        notes.append(metadata["disclaimer"])
    listed = "".join(f"* {note}\n" for note in notes)
    refused = "\n".join(f"* {limit}" for limit in limits(metadata))
    last = metadata["placement"] == "last"
    return f"""---
library_name: {"blackbox-align" if last else "peft"}
base_model: {json.dumps(base_model)}
tags: [prompt-tuning, blackbox-align]
---

# Expert: {metadata["country_name"]}

A soft prompt of {metadata["specification"]["tokens"]} virtual tokens for `{metadata["model"]}`.
It stands {"right before the answer" if last else "before everything"}, and was found without gradients
({metadata["optimizer"]}, seed {metadata["seed"]}, {metadata["evaluations"]:,} evaluations).

{scores}
{listed}
## What it may not be used for

{refused}

## Use

{_USE_LAST if last else _USE_FIRST}
"""


_USE_FIRST = """```python
from peft import PeftModel
model = PeftModel.from_pretrained(base_model, "this folder")
```"""

_USE_LAST = """PEFT cannot load it: it puts every soft prompt before the whole text.

```python
from blackbox_align.experts import read_expert
prompt = read_expert("this folder").soft_prompt()  # (tokens, D): goes between question and answer
```"""


def _indices(metadata: Mapping[str, Any]) -> str:
    rows = "\n".join(
        f"| {row['index']} | {_points(row['target'])} | {_points(row['unprompted'])} "
        f"| {_points(row['country_in_text'])} | {_points(row['fitted'])} "
        f"| {_points(row['error'], sign=True)} |"
        for row in metadata["table"]
    )
    constants, errors = metadata["constants"], metadata["errors"]
    values = ", ".join(f"{name} {value:+.1f}" for name, value in constants["values"].items())
    return f"""Under it the model's answers to `{metadata["survey"].partition("+")[0]}` give these indices:

| index | target | un-prompted | country in text | fitted | error |
|---|---|---|---|---|---|
{rows}

Mean absolute error {errors["fitted"]:.2f} index points (un-prompted {errors["unprompted"]:.2f}, country
named in text {errors["country_in_text"]:.2f}).

* Targets: {metadata["targets"]["title"]} (`{metadata["targets"]["name"]}`).
* Constants: `{constants["policy"]}` ({values}). Readout: {metadata["readout"]}."""


def _opinions(metadata: Mapping[str, Any]) -> str:
    opinions = metadata["opinions"]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in opinion_rows(opinions))
    sentences = "\n".join(verdicts(opinions))
    return f"""Jensen-Shannon distance in nats between the model's answers under it and people's answers, on
{opinions["survey"]["title"]}; smaller is nearer:

| | {opinions["held_out"]["questions"]} questions held out | fitted minus it, held out \
| {opinions["fit"]["questions"]} questions to fit |
|---|---|---|---|
{rows}

{sentences}
The ids of the questions are in `expert.json`, under `facts`.
"""


def opinion_rows(opinions: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """A row per condition: its name, held-out distance, fitted minus it, distance where fitted."""
    held_out, fit = opinions["held_out"], opinions["fit"]
    return [
        (
            title,
            interval(held_out["distances"][name]),
            interval(held_out["fitted_minus"].get(name), sign=True),
            interval(fit["distances"][name]),
        )
        for name, title in CONDITIONS.items()
    ]


def verdicts(opinions: Mapping[str, Any]) -> list[str]:
    """What the held-out differences show, one sentence for each thing that there is to say."""
    said: dict[str, list[str]] = {"nearer than": [], "not told apart from": [], "farther than": []}
    for name, title in CONDITIONS.items():
        minus = opinions["held_out"]["fitted_minus"].get(name)
        if minus is None or minus["value"] is None:
            continue
        low, high = minus["low"], minus["high"]
        what = "nearer than" if high < 0 else "farther than" if low > 0 else "not told apart from"
        said[what].append(title.strip("()"))
    sentences = [
        f"On held-out questions the fitted prompt is {what}: {'; '.join(names)}"
        + (" (the interval of the difference holds 0)." if what.startswith("not") else ".")
        for what, names in said.items()
        if names
    ]
    return [*sentences, "Brackets: 95 % interval over questions."]


def interval(figure: Mapping[str, float | None] | None, sign: bool = False) -> str:
    """``0.213 [0.180, 0.250]``, or nothing where there is no figure."""
    if figure is None or figure["value"] is None:
        return ""
    plus = "+" if sign else ""
    value, low, high = (
        f"{round(number, 3) + 0.0:{plus}.3f}"
        for number in (figure["value"], figure["low"] or 0.0, figure["high"] or 0.0)
    )
    return f"{value} [{low}, {high}]"


def _points(value: float | None, sign: bool = False) -> str:
    if value is None:
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"
