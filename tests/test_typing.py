"""The public surface as an editor and mypy see it, from outside the package."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import blackbox_align as bba
from blackbox_align.fitting import Specification, Stopping

HEAVY = "[mypy-torch.*,transformers.*,ray.*,scipy.*]\nfollow_imports = skip\n"  # nothing public is theirs


def test_a_user_s_file_passes_mypy_strict(tmp_path):
    """A file outside the package may call all of it, and its slips are found."""
    code = tmp_path / "mine.py"
    code.write_text((Path(__file__).parent / "typed_surface.py").read_text())
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\nfollow_imports = silent\n" + HEAVY)
    command = [sys.executable, "-m", "mypy", "--config-file", settings, code]
    # An editable install is found by Python alone.
    where = {**os.environ, "MYPYPATH": str(Path(bba.__file__).parents[1])}
    checked = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_every_setting_of_a_fit_is_a_named_parameter():
    """What a specification and the ends of a search know, `fit` takes by name, with a type."""
    known = inspect.signature(bba.fit).parameters
    settings = {one.name for one in (*fields(Specification), *fields(Stopping))} - {"gain"}
    assert settings <= set(known)
    assert all(one.annotation is not inspect.Parameter.empty for one in known.values())
    assert not [one for one in known.values() if one.kind is inspect.Parameter.VAR_KEYWORD]


def test_public_names_stay_what_they_are(tmp_path):
    """Using a name does not put a module in its place."""
    script = (
        "import importlib, blackbox_align as bba\n"
        "bba.countries(), bba.countries()\n"
        "for name in ('fitting', 'fitting.fit', 'fitting.minimize', 'populations.countries'):\n"
        "    importlib.import_module(f'blackbox_align.{name}')\n"
        "bba.countries(), bba.find_runs('none')\n"
        "assert callable(bba.fit) and callable(bba.minimize) and callable(bba.score)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
