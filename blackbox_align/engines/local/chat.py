"""What stands around a question: a chat template, a system text, a date; and all of it in tokens.

A chat template is a program that comes with a model. It is run in the sandbox of transformers, in
bounded time, with the date that was given: what a model reads does not change over midnight.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from ...errors import ModelError, SpecificationError

_SECONDS = 5.0  # for a template; a usual one takes less than a thousandth of one
PLACEHOLDER = "{question}"
_ANSWER = "\nAnswer: "
# In the place of the function that reads the clock. Transformers hands over data alone, no functions.
_DAY = (
    "{%- macro strftime_now(form) -%}{%- set here = namespace(text=form) -%}"
    "{%- for code, value in blackbox_align_day -%}"
    "{%- set here.text = here.text.replace(code, value) -%}{%- endfor -%}{{ here.text }}"
    "{%- endmacro %}\n"
)
_CODES = [f"%{sign}{letter}" for sign in ("-", "") for letter in "aAbBcdDeFgGHIjmMpSTuUVwWxXyYzZ"]
_LIKE_CONTROL = re.compile(r"<.+>|\[.+\]|｜.+｜", re.DOTALL)


@dataclass(frozen=True)
class ChatFormat:
    """What is put around a question.

    ``template`` is ``auto`` (the model's own, where it has one), ``none``, or a Jinja template;
    ``system`` a text in front, as a system message where there is a template; ``date`` the day that a
    template may write, as ``2026-11-26``, by default today.
    """

    template: str = "auto"
    system: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        if self.date:
            try:
                datetime.strptime(self.date, "%Y-%m-%d")
            except ValueError:
                raise SpecificationError(
                    f"The date must be written as 2026-11-26; not {self.date!r}."
                ) from None

    @property
    def day(self) -> datetime:
        return datetime.strptime(self.date or f"{datetime.now():%Y-%m-%d}", "%Y-%m-%d")


@dataclass(frozen=True)
class Rendered:
    """A text as a model reads it; ``content`` is where the user's own words are in it, and ``others``
    where those of further messages are.

    ``special`` says whether the tokenizer has still to add its special tokens.
    """

    text: str
    content: slice
    special: bool
    others: tuple[slice, ...] = ()


class Reader:
    """Puts texts into the form and the tokens of one model.

    Parameters
    ----------
    tokenizer : of transformers
    form : what is put around a question

    Raises
    ------
    ModelError
        From every method, where the model's chat template fails, takes more than
        :data:`_SECONDS`, or leaves the question out.
    """

    def __init__(self, tokenizer: Any, form: ChatFormat = ChatFormat()) -> None:
        self.tokenizer, self.form = tokenizer, form
        own = getattr(tokenizer, "chat_template", None) if form.template == "auto" else None
        self.template = own if form.template in ("auto", "none") else form.template
        self.date = form.day
        self._control = _control_tokens(tokenizer)
        self._openings: dict[str, list[int]] = {}
        self.suffix = _suffix(tokenizer)

    @cached_property
    def opening(self) -> str:
        """What the model reads around a question, with :data:`PLACEHOLDER` in the question's place."""
        return self.render(PLACEHOLDER).text

    @cached_property
    def dated(self) -> str:
        """The date, if the template writes one, else nothing."""
        day = self.date
        other = day.replace(year=day.year + 1, month=1 + day.month % 12, day=1 + day.day % 28)
        form = replace(self.form, date=f"{other:%Y-%m-%d}")
        return "" if Reader(self.tokenizer, form).opening == self.opening else f"{day:%Y-%m-%d}"

    def render(self, content: str) -> Rendered:
        """A question with all that stands around it, up to where the answer begins."""
        if not self.template:
            before = f"{self.form.system}\n" if self.form.system else ""
            text = f"{before}{content}{_ANSWER}"
            return Rendered(text, slice(len(before), len(before) + len(content)), True)
        messages = [{"role": "user", "content": content}]
        if self.form.system:
            messages.insert(0, {"role": "system", "content": self.form.system})
        return self.conversation(messages, content)

    def plain(self, text: str, before: str = "") -> Rendered:
        """A text as it is, behind another on a line of its own."""
        whole = f"{before}\n{text}" if before else text
        return Rendered(whole, slice(0, len(whole)), True)

    def messages(self, given: Sequence[Any], before: str = "") -> Rendered:
        """Messages up to where the answer begins; ``before`` stands in front of the user's first."""
        messages = [dict(message) for message in given]
        first = next((m for m in messages if m.get("role") == "user"), None)
        if first is None:
            raise SpecificationError("A conversation needs a message of the user.")
        if before:
            first["content"] = f"{before}\n{first['content']}"
        if not self.template:
            return self.plain("\n".join(message["content"] for message in messages))
        if self.form.system and messages[0].get("role") != "system":
            messages.insert(0, {"role": "system", "content": self.form.system})
        return self.conversation(messages, first["content"])

    def conversation(self, messages: Sequence[Any], content: str) -> Rendered:
        """Messages through the chat template; ``content`` is the user's, to be found again."""
        text = _bounded(lambda: self._apply(messages))
        own, others, start = slice(0, 0), [], 0
        for message in messages:
            words = str(message["content"]).strip()
            at = text.find(words, start)
            if at < 0 and message["content"] == content:
                raise ModelError(
                    "The chat template of this model leaves out or rewrites the question that it is "
                    "given; choose another with --chat-template, or `none` for plain text."
                )
            if at < 0:
                continue
            start = at + len(words)
            if message["content"] == content and not own.stop:
                own = slice(at, start)
            else:
                others.append(slice(at, start))
        return Rendered(text, own, False, tuple(others))

    def _apply(self, messages: Sequence[Any]) -> str:
        assert self.template is not None
        given: str = self.tokenizer.apply_chat_template(
            list(messages),
            chat_template=(_DAY if "strftime_now" in self.template else "") + self.template,
            tokenize=False,
            add_generation_prompt=True,
            # The answer is read at once: a template that would open a block of thoughts leaves it out.
            enable_thinking=False,
            thinking=False,
            blackbox_align_day=[(code, self.date.strftime(code)) for code in _CODES],
        )
        return given

    # -- tokens ----------------------------------------------------------------------------------

    def tokens(self, rendered: Rendered, answer: str = "") -> list[int]:
        """The tokens of a rendered text with an ``answer`` behind it.

        What a user wrote never becomes a control token: its name is cut behind its first character.
        """
        text = rendered.text + answer
        own = (rendered.content, *rendered.others, slice(len(rendered.text), len(text)))
        cuts = [
            found.start() + 1
            for found in (self._control.finditer(text) if self._control else ())
            if any(found.start() < part.stop and part.start < found.end() for part in own)
        ]
        if not cuts:
            ids = list(self.tokenizer(text, add_special_tokens=rendered.special).input_ids)
            if rendered.special and self.suffix and ids[-len(self.suffix) :] == self.suffix:
                del ids[-len(self.suffix) :]
            return ids
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        first = Rendered(pieces[0], slice(0, 0), rendered.special)
        ids = self.tokens(first)
        for piece in pieces[1:]:
            ids += self.tokenizer(piece, add_special_tokens=False).input_ids
        return ids

    def before_content(self, rendered: Rendered, tokens: Sequence[int]) -> int:
        """How many of ``tokens`` stand in front of the user's own words."""
        text = rendered.text[: rendered.content.start]
        if text not in self._openings:
            self._openings[text] = self.tokens(Rendered(text, slice(0, 0), rendered.special))
        return len(common_prefix([self._openings[text], tokens]))


def common_prefix(sequences: Sequence[Sequence[int]]) -> list[int]:
    """The longest opening that all sequences share."""
    # The first and the last in order differ at least as early as any two of them.
    first, last = min(map(tuple, sequences)), max(map(tuple, sequences))
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return list(first[:shared])


def _control_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """What finds the names of control tokens in a text: special ones, and added ones of their form."""
    special = set(getattr(tokenizer, "all_special_tokens", ()))
    for token in getattr(tokenizer, "added_tokens_decoder", {}).values():
        if token.special or _LIKE_CONTROL.fullmatch(token.content):
            special.add(token.content)
    names = sorted((name for name in special if len(name) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names))) if names else None


def _suffix(tokenizer: Any) -> list[int]:
    """The special tokens that a tokenizer puts behind every text."""
    ids = list(tokenizer("a").input_ids)
    bare = list(tokenizer("a", add_special_tokens=False).input_ids)
    behind = next(
        (
            n
            for n in range(len(ids))
            if bare and ids[len(ids) - n - len(bare) : len(ids) - n] == bare
        ),
        0,
    )
    return ids[len(ids) - behind :]


def _bounded(render: Callable[[], str]) -> str:
    """What ``render`` gives, or :class:`ModelError` where it fails or does not come to an end."""
    try:
        with _deadline(_SECONDS):
            return render()
    except _TooLongError:
        why = f"does not come to an end in {_SECONDS:g} seconds"
    except Exception as error:  # a template may raise whatever it likes
        why = f"fails: {' '.join(str(error).split())[:200] or type(error).__name__}"
    raise ModelError(
        f"The chat template of this model {why}; choose another with --chat-template, or `none` for "
        "plain text."
    )


class _TooLongError(Exception):
    pass


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise :class:`_TooLongError` in the Python code that is still running after ``seconds``.

    By a trace function of this thread: a template is Python code, and so can be left at any line of it.
    """
    end = time.monotonic() + seconds

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if time.monotonic() > end:
            raise _TooLongError
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(usual)
