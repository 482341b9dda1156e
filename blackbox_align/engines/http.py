"""A model at an address: whatever serves OpenAI's completions with the log-probabilities of a prompt.

Label probabilities come from ``echo``: a question is sent once with each of its labels behind it, and the
server tells how likely it found that last token. So vLLM is asked, this project's own server, and whatever
else tells the log-probabilities of what it reads. A text adapter stands in front of the question; vectors
and updates cannot be sent, but a server may hold them under names of their own.
"""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter
from ..errors import ModelError, SpecificationError
from ..surveys.sheet import Question, Sheet
from .base import Answers, EngineInfo, Reply, Request

_ANSWER = "\nAnswer: "
_AT_ONCE = 64  # prompts of one request
Told = tuple[list[str], list[float | None]]  # tokens, and the log-probability of each


@dataclass(frozen=True)
class HttpEngine:
    """A model that is served elsewhere, asked by its completions; see :class:`.base.Engine`.

    Parameters
    ----------
    url : where its API begins, such as ``http://localhost:8000/v1``
    model : one of those that it lists; by default the first
    key : what it wants as a bearer token
    seconds : for one request

    Raises
    ------
    ModelError
        From its methods, where nobody answers there, it has no such model, or it tells no log-probabilities.
    """

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    seconds: float = 300.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise SpecificationError(
                f"An engine's address begins with http:// or https://; not {self.url!r}."
            )

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """What the server lists, by name."""
        listed = self._call("models", None).get("data", ())
        return {
            str(one["id"]): dict(one) for one in listed if isinstance(one, dict) and "id" in one
        }

    @cached_property
    def name(self) -> str:
        """The model that is asked."""
        if not self.models:
            raise ModelError(f"{self.url} lists no model.")
        name = self.model or next(iter(self.models))
        if name not in self.models:
            known = ", ".join(self.models)
            raise ModelError(f"{self.url} serves no model {name!r}; it lists {known}.")
        if self.models[name].get("placement") == "last":
            raise ModelError(
                f"The vectors of {name!r} stand right before the answer, and an address is asked with the "
                "answer in the prompt, behind which they mean nothing; ask the server's own /v1/ask, or "
                "load the expert here."
            )
        return name

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            f"{self.name} at {self.url}",
            opening=f"{{question}}{_ANSWER}",
            can=frozenset({"answer", "text"}),
        )

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        texts = [_text_alone(adapter) for adapter in adapters]
        asked = {
            (text, question): self._probabilities(text, question)
            for text in dict.fromkeys(texts)
            for question in dict.fromkeys(sheet.questions)
        }
        shape = (len(texts), len(sheet.questions), sheet.width)
        probabilities, mass = np.zeros(shape, np.float32), np.zeros(shape[:2], np.float32)
        for row, text in enumerate(texts):
            for column, question in enumerate(sheet.questions):
                logs = asked[text, question]
                mass[row, column] = np.exp(logs).sum()
                shares = np.exp(logs - logs.max())
                probabilities[row, column, : len(logs)] = shares / shares.sum()
        found = Answers.of(probabilities, len(sheet.texts))
        return Answers(found.probabilities, mass, found.divergence, found.surprise, found.failures)

    def _probabilities(self, text: str, question: Question) -> np.ndarray:
        """(labels,) log-probabilities of the labels behind a question."""
        lead = f"{text}\n" if text else ""
        prompts = [f"{lead}{question.text}{_ANSWER}{label}" for label in question.labels]
        told = self._echo(prompts)
        shared = _shared([tokens for tokens, _ in told])
        for label, (tokens, logs) in zip(question.labels, told, strict=True):
            if len(tokens) != shared + 1 or logs[-1] is None:
                raise ModelError(
                    f"The answer {label!r} is not one token of its own for {self.name!r} (it ends in "
                    f"{tokens[shared:]}), so its probability cannot be compared with the others'."
                )
        return np.array([logs[-1] for _, logs in told], np.float64)

    def _echo(self, prompts: Sequence[str]) -> list[Told]:
        """The tokens of every prompt and how likely each was, without what was written behind it."""
        found: list[Told] = []
        for start in range(0, len(prompts), _AT_ONCE):
            some = list(prompts[start : start + _AT_ONCE])
            body = {"model": self.name, "prompt": some, "max_tokens": 1, "temperature": 0,
                    "logprobs": 1, "echo": True}  # fmt: skip
            choices = self._call("completions", body).get("choices", ())
            by_place = {choice["index"]: choice for choice in choices}
            for number, prompt in enumerate(some):
                found.append(self._told(by_place.get(number, {}), prompt))
        return found

    def _told(self, choice: dict[str, Any], prompt: str) -> Told:
        told = choice.get("logprobs") or {}
        tokens, logs = told.get("tokens") or [], told.get("token_logprobs") or []
        offsets = told.get("text_offset") or []
        within = sum(1 for at in offsets if at < len(prompt))
        if not within or not len(tokens) == len(logs) == len(offsets):
            raise ModelError(
                f"{self.url} does not tell how likely a prompt was (echo with logprobs), by which its "
                "models are asked; vLLM and `bbalign serve` do."
            )
        return list(tokens[:within]), [
            None if log is None or not math.isfinite(log) else float(log) for log in logs[:within]
        ]

    def _call(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        raw = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.url.rstrip('/')}/{path}", raw, headers)
        try:
            with urllib.request.urlopen(asked, timeout=self.seconds) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise ModelError(f"{self.url}/{path} answers {error.code}: {_why(error)}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ModelError(f"Nobody answers as a model at {self.url}: {reason}.") from None
        if not isinstance(found, dict):
            raise ModelError(f"{self.url}/{path} answers no JSON object.")
        return found

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        def why_not(question: Question) -> str | None:
            try:
                self._probabilities("", question)
            except ModelError as error:
                return str(error)
            return None

        return tuple(map(why_not, sheet.questions))

    def close(self) -> None:
        pass

    def submit(self, request: Request) -> Reply:
        raise ModelError("An engine at an address is asked closed questions only; give options.")

    def tokenize(self, text: str) -> tuple[int, ...]:
        raise ModelError(f"{self.url} tells no token ids.")

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        raise ModelError(f"{self.url} gives no embeddings; search on a model in this process.")

    def hidden(self, texts: Sequence[str], source: str) -> np.ndarray:
        raise ModelError(f"{self.url} gives no hidden states.")

    def pullback(
        self, adapters: Sequence[Adapter], sheet: Sheet
    ) -> tuple[Answers, Callable[[Answers], np.ndarray]]:
        raise ModelError(f"{self.url} gives no gradients.")


def _text_alone(adapter: Adapter) -> str:
    if adapter.prompt is not None or adapter.loras or adapter.gate is not None:
        raise SpecificationError(
            "An engine at an address takes texts alone; what has vectors or LoRA is asked by the name "
            "under which it is served there."
        )
    return adapter.text


def _shared(sequences: Sequence[Sequence[str]]) -> int:
    """How many tokens all sequences begin with."""
    shared = 0
    while all(len(one) > shared for one in sequences) and (
        len({one[shared] for one in sequences}) == 1
    ):
        shared += 1
    return shared


def _why(error: urllib.error.HTTPError) -> str:
    try:
        content = json.load(error)
        return str(content["error"]["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
