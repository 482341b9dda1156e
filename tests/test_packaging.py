"""The wheel: whole, and working far from the checkout."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "blackbox_align"
SCRAPS = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def declared_packages():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    return settings["options"]["packages"].split()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this tree, built without a network from a copy, so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("blackbox_align", "surveys"):
        shutil.copytree(ROOT / name, source / name, ignore=SCRAPS)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-build-isolation", "--no-deps", "--no-index"]
    built = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(source)], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that holds the installed wheel and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-index", "--target", str(target), str(wheel)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return target


def test_every_package_is_declared():
    """Each folder with an __init__.py is in the list of setup.cfg, and nothing else is."""
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(declared_packages()) == found | {"blackbox_align.surveys.data"}
    assert len(declared_packages()) == len(set(declared_packages()))


def test_the_wheel_holds_every_file(wheel):
    """All modules, the type marker, the packaged models, the surveys and the licence are in it."""
    expected = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {
        f"blackbox_align/surveys/data/{path.relative_to(ROOT / 'surveys')}"
        for path in (ROOT / "surveys").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    information = {name for name in names if ".dist-info/" in name}
    assert set(names) - information == expected
    assert any(name.endswith("LICENSE") for name in information)
    assert len(names) == len(set(names))


SCRIPT = """
import json, pathlib
import blackbox_align
from blackbox_align.populations import countries, target_sets
from blackbox_align.surveys import load_survey, survey_names
print(json.dumps({
    "home": str(pathlib.Path(blackbox_align.__file__).parent),
    "countries": len(countries()),
    "targets": {t.name: [len(t), t.sha256] for t in target_sets()},
    "surveys": {name: load_survey(name).sha256 for name in survey_names()},
}))
"""


def python(arguments, folder, cwd):
    """A Python that finds the package in `folder` only: an editable install is not seen."""
    path = [str(folder), *(p for p in sys.path if p.endswith("site-packages"))]
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_the_installed_wheel_has_the_same_data_as_the_checkout(installed, tmp_path):
    """From another folder, the installed package loads every survey and target set, unchanged."""
    from blackbox_align.populations import countries, target_sets
    from blackbox_align.surveys import load_survey, survey_names

    ran = python(["-c", SCRIPT], installed, tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found == {
        "home": str(installed / "blackbox_align"),
        "countries": len(countries()),
        "targets": {t.name: [len(t), t.sha256] for t in target_sets()},
        "surveys": {name: load_survey(name).sha256 for name in survey_names()},
    }


def test_the_installed_command_line_works_elsewhere(installed, tmp_path):
    """`bbalign` of the wheel lists countries and its packaged models from any folder."""
    ran = python(
        ["-m", "blackbox_align", "countries", "Saudi Arabia", "--json"], installed, tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert [row["PDI"] for row in json.loads(ran.stdout)] == [72, 95, None]
    ran = python(["-m", "blackbox_align", "models", "--json"], installed, tmp_path)
    assert ran.returncode == 0, ran.stderr
    (model,) = json.loads(ran.stdout)
    assert model["model"] == "respondent-tiny"
    assert Path(model["folder"]).is_relative_to(installed)
    assert (Path(model["folder"]) / "model.safetensors").is_file()
    assert not list(tmp_path.iterdir())


def test_the_installed_package_has_its_entry_points(wheel):
    """`bbalign` is installed as a command that points at a function that is there."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith("entry_points.txt"))
        entries = configparser.ConfigParser()
        entries.read_string(archive.read(name).decode())
    module, function = entries["console_scripts"]["bbalign"].split(":")
    imported = __import__(module, fromlist=[function])
    assert callable(getattr(imported, function))
