"""Chat models: one at an OpenAI-compatible address, or one in this process.

Both say a text or raise: :class:`NoAnswer` for a call that gave nothing, with whether asking again may help,
and :class:`..errors.ModelError` where no call can succeed (no key, no such model, nobody there).
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..errors import BlackboxAlignError, ModelError, SpecificationError
from .base import Engine, Request, Sampling

_LARGEST = 1 << 24  # bytes of a reply: more is no answer to a question
NOTHING = (0, 0)
_LONGEST_WAIT = 600.0  # seconds that a server may ask to wait


@dataclass(frozen=True)
class Said:
    """A text, the tokens that were ``read`` and ``written``, and whether it was ``cut`` at its longest.

    ``counted`` is False where the server told no usage, and a token was taken for every four bytes.
    """

    text: str
    read: int
    written: int
    cut: bool = False
    counted: bool = True


class NoAnswer(Exception):
    """A call that gave nothing.

    ``again`` says whether it may help to ask again, ``busy`` that the server wants to be asked less,
    ``wait`` in how many seconds; ``cost`` is the tokens read and written in vain, None where nobody knows.
    """

    def __init__(
        self,
        why: str,
        *,
        again: bool = True,
        busy: bool = False,
        wait: float | None = None,
        cost: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(why)
        self.why, self.again, self.busy, self.wait, self.cost = why, again, busy, wait, cost


class Chat(Protocol):
    """A chat model; any thread may ask. ``name`` and ``parameters`` are part of every call's key."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    def say(self, prompt: str, most: int, seed: int) -> Said:
        """The answer to one message, of ``most`` tokens or fewer."""

    def close(self) -> None:
        """Lets go of what it holds."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key is sent to the address that it was given for, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPEN = urllib.request.build_opener(_NoRedirect()).open


@dataclass(frozen=True)
class ChatAt:
    """A model behind OpenAI's chat completions.

    Parameters
    ----------
    url : where its API begins, such as ``http://localhost:8000/v1``
    name : the model's name there
    key : what it wants as a bearer token; it is sent, and never written
    key_variable : the environment variable that the key came from, for what is said when it is refused
    parameters : of the request's body, over ``max_tokens``, ``temperature`` 0 and, at another temperature,
        ``seed``; None leaves one out
    seconds : for a whole call

    Raises
    ------
    SpecificationError
        The address is none, or holds a name and password.
    """

    url: str
    name: str
    key: str = field(default="", repr=False)
    key_variable: str = "OPENAI_API_KEY"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 120.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SpecificationError(
                f"The address of a model begins with http:// or https://, such as "
                f"http://localhost:8000/v1; not {self.url!r}."
            )
        if parts.username or parts.password or parts.query:
            raise SpecificationError(
                "An address holds no name, password or question mark, for it is written down; a key comes "
                f"from the environment, as {self.key_variable}."
            )

        if not self.key.isascii() or not self.key.isprintable():
            raise SpecificationError(
                f"The key in {self.key_variable} holds a character that no header can; copy it again."
            )

    def say(self, prompt: str, most: int, seed: int) -> Said:
        body: dict[str, Any] = {"model": self.name, "max_tokens": most, "temperature": 0.0}
        body |= {"messages": [{"role": "user", "content": prompt}], **self.parameters}
        if body["temperature"]:
            body.setdefault("seed", seed)
        content = self._post({k: v for k, v in body.items() if v is not None})
        try:
            reply = json.loads(content)
            choice = reply["choices"][0]
            text = choice["message"]["content"] or ""
            told = reply.get("usage") or {}
            if not isinstance(text, str):
                raise TypeError
            used = [told.get(name, -1) for name in ("prompt_tokens", "completion_tokens")]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            shown = self._safe(content[:60].decode("utf-8", "replace"))
            raise NoAnswer(f"{self.url} answers what is no chat completion: {shown!r}") from None
        counted = all(type(n) is int and n >= 0 for n in used)
        read, written = used if counted else [_tokens(prompt), _tokens(text)]
        cut = choice.get("finish_reason") == "length"
        return Said(text.strip(), int(read), int(written), cut, counted)

    def close(self) -> None:
        pass

    def _post(self, body: Mapping[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        end = time.monotonic() + self.seconds
        try:
            with _OPEN(request, timeout=self.seconds) as reply:
                return _read(reply, end)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise NoAnswer(f"{self.url} gave no answer in {self.seconds:g} s") from None
            raise NoAnswer(f"nobody answers at {self.url}: {error.reason}", cost=NOTHING) from None
        except TimeoutError:
            raise NoAnswer(f"{self.url} gave no whole answer in {self.seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise NoAnswer(f"the connection to {self.url} was cut: {why}") from None

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        """What an answer other than 200 amounts to."""
        code, why = error.code, self._safe(_reason(error))
        if code in (401, 403):
            mend = (
                f"it does not take the key in {self.key_variable}"
                if self.key
                else f"it wants a key: put it into the environment as {self.key_variable}"
            )
            return ModelError(f"{self.url} answers {code} ({why}): {mend}.")
        if code == 404:
            return ModelError(
                f"{self.url} answers 404 ({why}): there is no model {self.name!r}, or no API begins at this "
                "address; most end in /v1, and list their models at /v1/models."
            )
        if 300 <= code < 400:
            return ModelError(f"{self.url} answers {code}, leading elsewhere: give that address.")
        if code == 429:
            return NoAnswer(f"answers 429 ({why})", busy=True, wait=_wait(error), cost=NOTHING)
        if code >= 500 or code in (408, 409, 425):
            return NoAnswer(f"answers {code} ({why})", wait=_wait(error), cost=NOTHING)
        return NoAnswer(f"answers {code} ({why})", again=False, cost=NOTHING)

    def _safe(self, text: str) -> str:
        """What a server said, without the key, which some repeat."""
        return text.replace(self.key, "***") if self.key else text


@dataclass(frozen=True, eq=False)
class ChatHere:
    """A model in this process; calls under way are written in one batch."""

    engine: Engine
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        strange = ", ".join(name for name in self.parameters if name != "temperature")
        if strange:
            raise SpecificationError(
                f"A model in this process is given a temperature and nothing else; not {strange}."
            )

    @property
    def name(self) -> str:
        info = self.engine.info
        return f"{info.name}@{info.revision[:12]}"

    def say(self, prompt: str, most: int, seed: int) -> Said:
        sampling = Sampling(most, float(self.parameters.get("temperature", 0.0)), seed=seed)
        try:
            message = [{"role": "user", "content": prompt}]
            text = self.engine.submit(Request(message, sampling)).result()
        except BlackboxAlignError as error:
            raise NoAnswer(str(error).rstrip("."), again=False, cost=NOTHING) from None
        return Said(
            text.text.strip(), len(text.read), len(text.written), cut=text.reason == "length"
        )

    def close(self) -> None:
        self.engine.close()


def _read(reply: Any, end: float) -> bytes:
    """The whole body, whatever the pace at which it comes; TimeoutError behind ``end``."""
    parts, size = [], 0
    while part := reply.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if time.monotonic() > end:
            raise TimeoutError
        if size > _LARGEST:
            raise http.client.HTTPException("the answer has no end")
    if reply.length:  # read1 tells of no missing rest
        raise http.client.IncompleteRead(b"".join(parts)[:0], reply.length)
    return b"".join(parts)


def _reason(error: urllib.error.HTTPError) -> str:
    """What the server says of it, in one line."""
    try:
        told = json.loads(error.read(1 << 16))["error"]
        text = told["message"] if isinstance(told, dict) else told
    except (ValueError, LookupError, TypeError, OSError, http.client.HTTPException):
        text = error.reason
    return " ".join(str(text).split())[:200].rstrip(".")


def _wait(error: urllib.error.HTTPError) -> float | None:
    """The seconds of Retry-After, which may be a number or a date."""
    told = error.headers.get("Retry-After", "")
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // 4)
