"""Reference data that lies beside a checkout on some machines and is never part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

# Beside the checkout, or beside the folder that a worktree of it lies in.
_PLACES = [Path(__file__).parents[n] / "shared" / "data" for n in (2, 3)]


def reference(path: str) -> Path:
    """A file of the reference data; the test that asks for it is skipped where it is absent."""
    file = next((folder for folder in _PLACES if folder.exists()), _PLACES[0]) / path
    if not file.exists():
        pytest.skip(f"the reference data {path} is not beside this checkout")
    return file
