"""Bodies of requests: what is read of them, and what is refused because it would be ignored.

A field that is not known is refused, and so is one that asks for what is not there. A field that is known
and asks for nothing, such as ``"tools": null``, is let pass.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .refusals import Refusal
from .roster import MIXTURES

# Fields of OpenAI's API that are not served, with the values that ask for nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "tools": (None, []),
    "tool_choice": (None, "none"),
    "parallel_tool_calls": (None,),
    "functions": (None, []),
    "function_call": (None, "none"),
    "response_format": (None, {"type": "text"}),
    "frequency_penalty": (None, 0),
    "presence_penalty": (None, 0),
    "logit_bias": (None, {}),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "prediction": (None,),
    "reasoning_effort": (None, "none"),
    "verbosity": (None,),
    "web_search_options": (None,),
    "service_tier": (None, "auto", "default"),
    "store": (None, False),
    "metadata": (None, {}),
    "suffix": (None, ""),
}
_NEUTRAL_IN_MESSAGES: dict[str, tuple[Any, ...]] = {
    "name": (None,),
    "refusal": (None,),
    "audio": (None,),
    "annotations": (None, []),
    "tool_calls": (None, []),
    "function_call": (None,),
}

Stop = str | list[str] | None
Shares = dict[str, float] | None
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(BaseModel):
    model_config = _STRICT
    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class TextPart(BaseModel):
    model_config = _STRICT
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    model_config = _STRICT
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> dict[str, str]:
        """The message as engines take it."""
        role = "system" if self.role == "developer" else self.role
        content = self.content
        if not isinstance(content, str):
            content = "\n".join(part.text for part in content)
        return {"role": role, "content": content}


class _Asked(BaseModel):
    """What both ways of asking for a text share. ``population`` and ``as`` are for the committee."""

    model_config = _STRICT
    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Stop = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    n: int | None = Field(None, ge=1, le=128)
    max_tokens: int | None = Field(None, ge=0)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    user: str | None = None
    population: Shares = None
    form: Literal["parts", "pooled", "sample"] = Field("pooled", alias="as")

    @model_validator(mode="after")
    def _fits_together(self) -> _Asked:
        stops = self.stops
        if len(stops) > 16 or not all(stops):
            raise ValueError("stop: 1 to 16 texts of one character or more are expected")
        if self.stream_options is not None and not self.stream:
            raise ValueError('stream_options: these are for "stream": true alone')
        if self.model not in MIXTURES and (self.population is not None or self.form != "pooled"):
            raise ValueError(
                'population, as: these are for "model": "committee" or "palette" alone'
            )
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def with_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class ChatBody(_Asked):
    """A body of ``/v1/chat/completions``."""

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=0)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @model_validator(mode="after")
    def _says_it_once(self) -> ChatBody:
        both = (self.max_tokens, self.max_completion_tokens)
        if None not in both and both[0] != both[1]:
            raise ValueError("max_tokens: max_completion_tokens says something else; leave one out")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError('top_logprobs: these need "logprobs": true')
        return self

    @property
    def most_tokens(self) -> int | None:
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class CompletionBody(_Asked):
    """A body of ``/v1/completions``."""

    prompt: str | list[int] | list[str] | list[list[int]]
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = None
    best_of: int | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> CompletionBody:
        if self.best_of not in (None, self.n or 1):
            raise ValueError("best_of: only as many as n can be had")
        if not self.prompts:
            raise ValueError("prompt: a text, tokens, or a list of one or more of them is expected")
        return self

    @property
    def prompts(self) -> list[str | tuple[int, ...]]:
        """One or several prompts, as engines take them."""
        given = self.prompt
        if isinstance(given, str):
            return [given]
        if given and isinstance(given[0], int):
            return [tuple(given)]
        return [p if isinstance(p, str) else tuple(p) for p in given]  # type: ignore[arg-type]


class AskBody(BaseModel):
    """A body of ``/v1/ask``: a question to the committee, as ``bbalign ask`` takes it."""

    model_config = _STRICT
    question: str = Field(min_length=1)
    options: list[str] | None = None
    population: Shares = None
    form: Literal["parts", "pooled", "sample", "composed"] = Field("parts", alias="as")
    chat: bool = False
    samples: int = Field(10, ge=1, le=1000)
    max_tokens: int = Field(128, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    seed: int = Field(0, ge=0, lt=2**63)


Body = TypeVar("Body", ChatBody, CompletionBody, AskBody)


def read_body(kind: type[Body], content: bytes) -> Body:
    """The body of a request; :class:`Refusal` with 400 for anything that is not to be done."""
    try:
        given = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(
            400, f"The body is no JSON: {str(error)[:200]}.", code="invalid_json"
        ) from None
    if not isinstance(given, dict):
        raise Refusal(400, "The body has to be a JSON object.", code="invalid_json")
    given = _without_neutral(given, _NEUTRAL, kind, "")
    messages = given.get("messages")
    if isinstance(messages, list):
        given["messages"] = [
            _without_neutral(m, _NEUTRAL_IN_MESSAGES, ChatMessage, f"messages.{n}.")
            if isinstance(m, dict) else m for n, m in enumerate(messages)
        ]  # fmt: skip
    try:
        return kind.model_validate_json(json.dumps(given))
    except (ValidationError, ValueError, RecursionError) as error:
        raise _mistake(error) from None


def _without_neutral(
    given: dict[str, Any], neutral: dict[str, tuple[Any, ...]], kind: type[BaseModel], at: str
) -> dict[str, Any]:
    kept = {}
    for name, value in given.items():
        if name in kind.model_fields or name not in neutral:
            kept[name] = value
        elif not _asks_nothing(value, neutral[name]):
            raise Refusal(
                400, f"{at}{name} is not served here; leave it out.",
                code="unsupported_parameter", param=f"{at}{name}",
            )  # fmt: skip
    return kept


def _asks_nothing(value: Any, neutral: tuple[Any, ...]) -> bool:
    return any(
        value == nothing and isinstance(value, bool) == isinstance(nothing, bool)
        for nothing in neutral
    )


def _mistake(error: Exception) -> Refusal:
    """The first thing that is wrong, in a sentence that names the field."""
    if not isinstance(error, ValidationError):
        return Refusal(400, f"The body cannot be read: {str(error)[:200]}.")
    # A field that nobody knows first; of the forms that a field may have, the one that came nearest.
    unknown = [e for e in error.errors() if e["type"] == "extra_forbidden" and len(e["loc"]) == 1]
    others = [e for e in error.errors() if e["type"] != "extra_forbidden"] or error.errors()
    found = unknown[0] if unknown else max(others, key=lambda one: len(one["loc"]))
    where = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        message = f"Unrecognized request argument supplied: {where}"
    elif found["type"] == "value_error":
        text = found["msg"].removeprefix("Value error, ")
        where, message = text.split(":")[0], f"{text}."
    elif found["type"] == "literal_error" and where.endswith("type"):
        message = f"{where}: only parts of the type 'text' are served; {found['msg']}."
    else:
        message = f"{where}: {found['msg']}."
    return Refusal(400, message, code=found["type"], param=where or None)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
