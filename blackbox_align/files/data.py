"""The data that ships with the package: surveys, target sets and the table of countries."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def data_folder() -> Path:
    """The folder of surveys, target sets and the country table that ships with the package."""
    return Path(str(files("blackbox_align.surveys.data")))
