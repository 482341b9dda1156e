"""Reference data that lies beside a checkout on some machines and is never part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "shared" / "data"


def reference(path: str) -> Path:
    """A file of the reference data; the test that asks for it is skipped where it is absent."""
    file = _FOLDER / path
    if not file.exists():
        pytest.skip(f"the reference data {path} is not beside this checkout")
    return file
