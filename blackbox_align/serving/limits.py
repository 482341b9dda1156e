"""What a server takes on at most."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SpecificationError


@dataclass(frozen=True)
class Limits:
    """What a server takes on at most.

    Parameters
    ----------
    rows : texts that are written at once, a row for each voice of each text; more are refused with 429
    tokens : of one text
    size : bytes of a request's body; more are refused with 413
    seconds : for one request, from its whole body to the last token
    grace : seconds that texts under way have to end when the server shuts down

    Raises
    ------
    SpecificationError
        A limit is not above 0.
    """

    rows: int = 256
    tokens: int = 4096
    size: int = 1 << 20
    seconds: float = 300.0
    grace: float = 10.0

    def __post_init__(self) -> None:
        for name in ("rows", "tokens", "size", "seconds"):
            if not getattr(self, name) > 0:
                raise SpecificationError(
                    f"The limit of {name} is {getattr(self, name)}; expected a number above 0."
                )
