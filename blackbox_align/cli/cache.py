"""``bbalign cache``: the answers that `bbalign score` has kept."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import AsJson
from .screen import print_hint, print_json


def cache_command(
    clear: Annotated[bool, typer.Option("--clear", help="Forget all answers.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where answers are kept and how much room they take, or empty that place."""
    from ..engines.kept import AnswerCache

    cache = AnswerCache()
    if clear:
        cache.clear()
    answers, size = cache.size()
    if as_json:
        print_json(
            {"path": str(cache.path), "answers": answers, "bytes": size, "limit": cache.limit}
        )
        return
    print_hint(
        f"{answers:,} answers in {size / 1e6:.1f} MB of at most {cache.limit / 1e6:.0f}: {cache.path}"
    )
