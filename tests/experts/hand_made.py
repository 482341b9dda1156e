"""Experts of every kind without a search: small adapters and a result written by hand."""

from __future__ import annotations

import math

import numpy as np

from blackbox_align.adapters.adapter import Adapter, Gate, Lora, SoftPrompt
from blackbox_align.experts import Card, Proof
from blackbox_align.results import Asked, Figure, Provenance, Result, Searched
from blackbox_align.statistics.distances import ABSOLUTE_ERROR

NAN = math.nan
PROOF = Proof(1e-6, 1e-4, "float32", 24)


def result(model: str = "respondent-tiny", revision: str = "r" * 40) -> Result:
    """A fit of two indices for Kenya."""
    asked = Asked(
        "vsm2013", "Values", "d" * 64, 24, (ABSOLUTE_ERROR,), (ABSOLUTE_ERROR.name,), "",
        {"PDI": "power distance", "IDV": "individualism"}, "tool", "The tool", "anchor",
        {"PDI": 1.0, "IDV": -2.0},
    )  # fmt: skip
    figures = tuple(
        Figure("KEN", condition, ABSOLUTE_ERROR.name, "all", value, NAN, NAN, 2, "", "vsm2013")
        for condition, value in (("none", 9.0), ("icl", 6.0), ("fitted", 1.5))
    )
    provenance = Provenance((asked,), {"KEN": "Kenya"}, model, revision, "float32", "Beware.")
    search = Searched("cma", 0, 100, "the end", {"KEN": 1.5}, {"KEN": 90}, tokens=3)
    return Result(figures, (), ("A note.",), provenance, "all", search)


def card(model: str = "respondent-tiny", revision: str = "r" * 40) -> Card:
    return Card.of(result(model, revision), "KEN", {"country": "KEN", "tokens": 3})


def vectors(tokens: int = 3, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(tokens, width)).astype(np.float32)


def lora(seed: int = 0, modules: tuple[str, ...] = ("model.layers.0.self_attn.q_proj",)) -> Lora:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    return Lora({name: (draw(2 + n, 8), draw(8, 2 + n)) for n, name in enumerate(modules)})


KINDS = {
    "first": Adapter(prompt=SoftPrompt(vectors())),
    "message": Adapter(prompt=SoftPrompt(vectors(), "message")),
    "last": Adapter(prompt=SoftPrompt(vectors(), "last")),
    "text": Adapter("You live in Kenya."),
    "text and prompt": Adapter("You live in Kenya.", SoftPrompt(vectors())),
    "lora": Adapter(loras=(lora(),)),
    "lora of several ranks": Adapter(loras=(lora(1, ("model.a.q_proj", "model.b.q_proj")),)),
    "prompt and lora": Adapter("", SoftPrompt(vectors(), "last"), (lora(),)),
    "gated": Adapter(loras=(lora(1), lora(2)), gate=Gate(weights=np.eye(2, dtype=np.float32))),
    "gated by token": Adapter(
        loras=(lora(1), lora(2)),
        gate=Gate(rows=np.ones((1, 2, 8), np.float32), temperature=0.5),
    ),
    "nothing": Adapter(),
}
