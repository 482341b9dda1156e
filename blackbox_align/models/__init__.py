"""The models that ship with the package, one folder each, as ``from_pretrained`` expects them."""

from __future__ import annotations

from pathlib import Path


def packaged_models() -> dict[str, Path]:
    """Name and folder of every model that ships with the package."""
    return {
        path.parent.name.replace("_", "-"): path.parent
        for path in sorted(Path(__file__).parent.glob("*/config.json"))
    }
