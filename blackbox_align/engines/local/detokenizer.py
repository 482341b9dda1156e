"""From tokens to a text that grows, without decoding all of it again for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

UNFINISHED = "\ufffd"  # what a tokenizer writes for a character whose last byte is not there yet


class Detokenizer:
    """The text of tokens that come one by one.

    A tokenizer's blanks and characters depend on neighbours: so the newest tokens are decoded behind
    those that made the last whole piece of text, and what is new is what that adds.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start = self._end = 0  # the tokens of the last whole piece
        self._settled = self.text = ""

    def add(self, token: int) -> str:
        """The whole text with one token more; an unfinished character stands at its end as a mark."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._start : self._end])
        now = self._decode(self._tokens[self._start :])
        self.text = self._settled + now[len(before) :]
        if len(now) > len(before) and not now.endswith(UNFINISHED):
            self._settled, self._start, self._end = self.text, self._end, len(self._tokens)
        return self.text

    def whole(self) -> str:
        """The text as the tokenizer itself decodes it."""
        return self._decode(self._tokens)

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True)) if tokens else ""


class Speller:
    """What single tokens are called: their text inside of a text, or ``token_id:N`` where they have none."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._anchor = list(tokenizer("a", add_special_tokens=False).input_ids)
        self._before = len(tokenizer.decode(self._anchor))
        self.spell = lru_cache(65_536)(self._spell)

    def _spell(self, token: int) -> str:
        text = str(self._tokenizer.decode([*self._anchor, token]))[self._before :]
        return f"token_id:{token}" if not text or UNFINISHED in text else text
