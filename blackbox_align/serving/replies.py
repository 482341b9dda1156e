"""OpenAI's objects: completions, their chunks, log-probabilities and usage."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engines.base import Piece, Text, Token
from .asked import Asked
from .bodies import ChatBody, CompletionBody

Spell = Callable[[int], str]


@dataclass(frozen=True)
class Form:
    """What all objects of one answer share: its kind, its id and time, and how its tokens are told.

    ``chat`` says which of the two kinds; ``logprobs`` whether they were asked for.
    """

    model: str
    chat: bool
    logprobs: bool
    spell: Spell
    fingerprint: str
    asked: Asked
    echo: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of(cls, body: ChatBody | CompletionBody, asked: Asked, spell: Spell, revision: str) -> Form:
        chat = isinstance(body, ChatBody)
        wanted = bool(body.logprobs) if chat else body.logprobs is not None
        echo = isinstance(body, CompletionBody) and bool(body.echo)
        return cls(body.model, chat, wanted, spell, revision[:12], asked, echo)

    def head(self, kind: str) -> dict[str, Any]:
        """The fields in front of the choices."""
        return {
            "id": f"{'chatcmpl' if self.chat else 'cmpl'}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }

    def why(self) -> dict[str, Any]:
        """The committee's decision, which stands in the answer, or in the first of its chunks."""
        decision = self.asked.decision
        return {} if decision is None else {"decision": decision.to_dict()}

    def whole(self, texts: Sequence[Text]) -> dict[str, Any]:
        """The answer at once."""
        kind = "chat.completion" if self.chat else "text_completion"
        choices = [self._choice(number, text) for number, text in enumerate(texts)]
        return {
            **self.head(kind),
            **self.why(),
            "choices": choices,
            "usage": usage(texts, self.asked),
        }

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A piece of an answer that is streamed."""
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return {**self.head(kind), "choices": choices}

    def opening(self, number: int) -> dict[str, Any]:
        """A choice's first chunk, before anything of it is there."""
        begun = (
            {"delta": {"role": "assistant", "content": "", "refusal": None}}
            if self.chat
            else {"text": ""}
        )
        choice = {"index": number, **begun, "logprobs": None, "finish_reason": None}
        return self._with_experts(number, choice)

    def prompt(self, number: int, read: Sequence[Token]) -> dict[str, Any]:
        """The echo of a completion's prompt, in front of its pieces."""
        told = self._listed(read, (), 0) if self.logprobs else None
        text = self.echoed(number, read)
        return {"index": number, "text": text, "logprobs": told, "finish_reason": None}

    def piece(self, number: int, piece: Piece, before: int) -> dict[str, Any]:
        """What came of one choice, behind an echo of ``before`` characters."""
        end = piece.whole
        reason = None if end is None else end.reason
        if self.chat:
            delta = {"content": piece.text} if piece.text else {}
            content = self._told(piece.tokens) if self.logprobs and piece.tokens else None
            logprobs = None if content is None else {"content": content}
            return {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        tokens = [*piece.tokens, *([end.end] if end is not None and end.end is not None else [])]
        listed = self._listed((), tokens, before) if self.logprobs else None
        return {"index": number, "text": piece.text, "logprobs": listed, "finish_reason": reason}

    def _choice(self, number: int, text: Text) -> dict[str, Any]:
        common = {"index": number, "finish_reason": text.reason}
        if self.chat:
            message = {"role": "assistant", "content": text.text, "refusal": None}
            content = {"content": self._told(text.written), "refusal": None}
            logprobs = content if self.logprobs else None
            return self._with_experts(number, {**common, "message": message, "logprobs": logprobs})
        before = self.echoed(number, text.read) if self.echo else ""
        written = [*text.written, *([text.end] if text.end is not None else [])]
        read = text.read if self.echo else ()
        told = self._listed(read, written, len(before)) if self.logprobs else None
        return self._with_experts(number, {**common, "text": before + text.text, "logprobs": told})

    def echoed(self, number: int, read: Sequence[Token]) -> str:
        """The prompt of a choice as its echo repeats it."""
        prompt = self.asked.prompts[number]
        return prompt if isinstance(prompt, str) else "".join(self.spell(t.token) for t in read)

    def _with_experts(self, number: int, choice: dict[str, Any]) -> dict[str, Any]:
        if self.asked.decision is not None:
            choice["experts"] = list(self.asked.experts[number])
        return choice

    # -- log-probabilities -------------------------------------------------------------------------

    def _told(self, tokens: Sequence[Token]) -> list[dict[str, Any]]:
        """Tokens as a chat completion tells them."""
        return [
            {
                **self._one(t.token, t.logprob),
                "top_logprobs": [self._one(*likely) for likely in t.top],
            }
            for t in tokens
        ]

    def _one(self, token: int, logprob: float) -> dict[str, Any]:
        name = self.spell(token)
        unspelt = name == f"token_id:{token}"
        return {
            "token": name,
            "logprob": logprob,
            "bytes": None if unspelt else list(name.encode()),
        }

    def _listed(
        self, read: Sequence[Token], written: Sequence[Token], before: int
    ) -> dict[str, list[Any]]:
        """Tokens as a completion lists them; ``before`` characters stand in front of the written ones."""
        tokens = [*read, *written]
        starts = [*(t.start for t in read), *(before + t.start for t in written)]
        return {
            "tokens": [self.spell(t.token) for t in tokens],
            "token_logprobs": [None if math.isnan(t.logprob) else t.logprob for t in tokens],
            "top_logprobs": [None if math.isnan(t.logprob) else self._likely(t) for t in tokens],
            "text_offset": starts,
        }

    def _likely(self, token: Token) -> dict[str, float]:
        """The likeliest tokens by name, with the one that is there; of two of one name one is told by id."""
        found: dict[str, float] = {}
        for other, logprob in (*token.top, (token.token, token.logprob)):
            name = self.spell(other)
            if name in found and found[name] != logprob:
                name = f"token_id:{other}"
            found[name] = logprob
        return found


def usage(texts: Sequence[Text], asked: Asked) -> dict[str, int]:
    """Tokens of all prompts, each counted once, and of all that was written, with what ended it."""
    prompts: dict[int, int] = {}
    for text, request in zip(texts, asked.requests, strict=True):
        prompts[id(request.prompt)] = len(text.read)
    read = sum(prompts.values())
    written = sum(len(text.written) + (text.end is not None) for text in texts)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
