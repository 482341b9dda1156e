"""The card of an expert: what it is, what it scores, and what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LIMITS = (
    "Not for judging individuals: survey indices describe samples, not persons.",
    "Not evidence that a model knows a culture: a low error is a fit to twelve differences of item "
    "means, and the validity of these indices is contested (Minkov 2018; Gerlach and Eriksson 2021).",
    "Not comparable with published scores of people without an anchor: the constants are a choice "
    "of this study.",
    "Not a stand-in for asking people.",
)


def render_card(metadata: Mapping[str, Any], base_model: str) -> str:
    """A model card in Markdown with the front matter that hubs read."""
    rows = "\n".join(
        f"| {row['index']} | {_points(row['target'])} | {_points(row['unprompted'])} "
        f"| {_points(row['country_in_text'])} | {_points(row['fitted'])} "
        f"| {_points(row['error'], sign=True)} |"
        for row in metadata["table"]
    )
    constants, facts = metadata["constants"], metadata["facts"]
    values = ", ".join(f"{name} {value:+.1f}" for name, value in constants["values"].items())
    notes = []
    if metadata["missing"]:
        notes.append(f"No published figure, left out: {', '.join(metadata['missing'])}.")
    if metadata["estimate"]:
        notes.append("The source calls the figures of this country an estimate.")
    if metadata["disclaimer"]:
        notes.append(metadata["disclaimer"])
    last = metadata["placement"] == "last"
    limits = "\n".join(f"* {limit}" for limit in LIMITS)
    return f"""---
library_name: {"blackbox-align" if last else "peft"}
base_model: {json.dumps(base_model)}
tags: [prompt-tuning, blackbox-align]
---

# Expert: {metadata["country_name"]}

A soft prompt of {metadata["specification"]["tokens"]} virtual tokens for `{metadata["model"]}`.
It stands {"right before the answer" if last else "before everything"}, and was found without gradients
({metadata["optimizer"]}, seed {metadata["seed"]}, {metadata["evaluations"]:,} evaluations). Under it the
model's answers to `{metadata["survey"]}` give these indices:

| index | target | un-prompted | country in text | fitted | error |
|---|---|---|---|---|---|
{rows}

Mean absolute error {metadata["loss"]:.2f} index points
(un-prompted {metadata["errors"]["unprompted"]:.2f}, country named in text
{metadata["errors"]["country_in_text"]:.2f}).

* Targets: {metadata["targets"]["title"]} (`{metadata["targets"]["name"]}`).
* Constants: `{constants["policy"]}` ({values}). Readout: {metadata["readout"]}.
* Survey {facts["survey_sha256"][:12]}, targets {facts["targets_sha256"][:12]}, model revision
  {facts["model_revision"][:12]}; the full record is in `expert.json`.
{"".join(f"* {note}{chr(10)}" for note in notes)}
## What it may not be used for

{limits}

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


def _points(value: float | None, sign: bool = False) -> str:
    if value is None:
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"
