"""Refusals: a status and OpenAI's form of an error for everything that is not done."""

from __future__ import annotations

from typing import Any

from ..errors import (
    BlackboxAlignError,
    ExpertError,
    MissingDependencyError,
    ModelError,
    OutOfMemoryError,
    UnknownNameError,
)

_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class Refusal(Exception):
    """A request that is not done: the HTTP ``status``, a sentence, and what clients tell it by."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def to_dict(self) -> dict[str, Any]:
        """The body of the answer, as OpenAI's clients read it."""
        usual = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {
                "message": self.message,
                "type": _TYPES.get(self.status, usual),
                "param": self.param,
                "code": self.code,
            }
        }


def refusal_of(error: BaseException) -> Refusal:
    """What a client is told of an error: its sentence where the request can be mended, no paths of ours."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ExpertError):
        return Refusal(
            500, "This expert's files are damaged; `bbalign experts check` on the server says how."
        )
    if isinstance(error, OutOfMemoryError):
        return Refusal(503, "Memory ran out on the server; ask for less, or again later.")
    if isinstance(error, ModelError) and "was closed" in str(error):
        return Refusal(503, "The server is shutting down.", code="shutting_down")
    if isinstance(error, ModelError) and "positions" in str(error):
        return Refusal(400, str(error), code="context_length_exceeded")
    if isinstance(error, UnknownNameError):
        return Refusal(400, str(error), code="unknown_name")
    if isinstance(error, (BlackboxAlignError, MissingDependencyError)):
        return Refusal(400, str(error))
    return Refusal(500, "The server failed in a way that was not foreseen; its log says how.")
