"""One tell as the journal of a run holds it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_SUM = 2e-3  # how far the shares of an item may be from 1: half precision rounds them


@dataclass(frozen=True, eq=False)
class Entry:
    """One tell as it was recorded.

    ``answers`` is (P, questions, options) float32, NaN where the evaluation failed; ``losses`` (P,) None
    where it failed, of several populations their mean; ``digest`` is that of the vectors. ``gradients``
    are (P, d) float32 for a search that follows them, else None; ``texts`` is (2, P, texts) float32, the
    divergence and surprise of :class:`..engines.Answers` where texts were read, else None.
    """

    ids: tuple[int, ...]
    answers: np.ndarray
    losses: tuple[float | None, ...]
    digest: str
    gradients: np.ndarray | None = None
    texts: np.ndarray | None = None

    @property
    def divergence(self) -> np.ndarray | None:
        """(P, texts) nats a token, where texts were read."""
        return None if self.texts is None else self.texts[0]

    @property
    def rows(self) -> int:
        """How many rows of vectors there are up to the end of this tell."""
        return self.ids[-1] + 1

    def to_value(self) -> dict[str, Any]:
        answers = np.ascontiguousarray(self.answers, "<f4")
        more: dict[str, Any] = {}
        if self.gradients is not None:
            more["gradients"] = _text(self.gradients)
        if self.texts is not None:  # for people to read: nats a token, and the perplexity
            divergence, surprise = self.texts.mean(axis=2, dtype=np.float64)
            more["divergence"] = [_rounded(value) for value in divergence]
            more["perplexity"] = [_rounded(np.exp(min(value, 700.0))) for value in surprise]
            more["texts"] = _text(self.texts)
        return {
            "ids": self.ids,
            "rows": self.rows,
            "digest": self.digest,
            "losses": self.losses,
            "shape": answers.shape,
            "answers": _text(answers),
            **more,
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any], told: int) -> Entry:
        """Read a line behind ``told`` evaluations; ValueError where it holds what cannot be."""
        try:
            ids, losses = tuple(value["ids"]), tuple(value["losses"])
            shape = tuple(value["shape"])
            answers, digest = _numbers(value["answers"]).reshape(shape), str(value["digest"])
            gradients = None
            if "gradients" in value:
                gradients = _numbers(value["gradients"]).reshape(len(ids), -1)
            texts = None
            if "texts" in value:
                texts = _numbers(value["texts"]).reshape(2, len(ids), -1)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it lacks a part, or has one of another kind ({error})") from None
        if ids != tuple(range(told, told + len(ids))) or not ids:
            raise ValueError(f"its candidates should be numbered from {told} on")
        if value.get("rows", ids[-1] + 1) != ids[-1] + 1 or len(losses) != len(ids):
            raise ValueError("its numbers of candidates do not agree")
        if answers.ndim != 3 or len(answers) != len(ids):
            raise ValueError(f"its answers have the shape {shape}")
        for loss in losses:
            if loss is not None and not (isinstance(loss, float) and np.isfinite(loss)):
                raise ValueError(f"it holds the loss {loss!r}")
        refuse_what_is_no_share(answers)
        return cls(ids, answers, losses, digest, gradients, texts)


def rounds_of(entries: Sequence[Entry]) -> np.ndarray:
    """(evaluations,) the round of every evaluation, from 1: the candidates of a tell were asked at once."""
    return np.repeat(np.arange(1, len(entries) + 1), [len(entry.ids) for entry in entries])


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<f4").tobytes()).decode()


def _numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4")


def refuse_what_is_no_share(answers: np.ndarray) -> None:
    """ValueError unless the (P, questions, options) answers are shares that sum to 1, or a failure."""
    good = answers[np.isfinite(answers).all(axis=(1, 2))].astype(np.float64)
    outside = (good < 0) | (good > 1 + _SUM)
    if outside.any():
        raise ValueError(
            f"it holds the probability {good[outside][0]:g}, which is not between 0 and 1"
        )
    sums = good.sum(axis=2)
    if (abs(sums - 1) > _SUM).any():
        raise ValueError(
            f"it holds probabilities that sum to {sums[abs(sums - 1) > _SUM][0]:g}, not to 1"
        )


def digest(vectors: np.ndarray) -> str:
    """A short hash of (P, d) vectors."""
    content = np.ascontiguousarray(vectors, "<f8").tobytes()
    return hashlib.blake2b(content, digest_size=8).hexdigest()
