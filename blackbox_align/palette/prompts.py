"""Prompts as versioned files: an answer follows from its version, which is part of every call's key."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ..errors import UnknownNameError

_PROMPTS = Path(__file__).parent / "data" / "prompts"
VERSION = 1


@lru_cache
def prompt_text(stage: str, version: int = VERSION) -> str:
    """The words of a stage: ``draft``, ``regulate``, ``decide``; of synthesis ``answer``, ``remark``,
    ``revise``."""
    known = sorted(path.stem for path in _PROMPTS.glob("*.txt"))
    if f"{stage}-{version}" not in known:
        raise UnknownNameError("prompt", f"{stage}-{version}", known)
    return (_PROMPTS / f"{stage}-{version}.txt").read_text(encoding="utf-8").strip()
