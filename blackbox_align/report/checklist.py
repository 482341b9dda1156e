"""The checklist of a result, for pages: the one that cards print as well."""

from __future__ import annotations

from ..results import Checklist, Result


def checklist(result: Result) -> tuple[tuple[str, str], ...]:
    """Name and answer of every point, as the result brings them, or filled in from it."""
    return tuple((result.checklist or Checklist.of(result)).rows())
