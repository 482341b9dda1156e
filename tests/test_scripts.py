"""Scripts beside the package, which no other test runs, import what the package has."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path for folder in ("experiments", "benchmarks") for path in (ROOT / folder).rglob("*.py")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_imports_what_is_there(path):
    """Each name that it takes from a module of the package; another branch may have moved it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blackbox_align"):
            module = importlib.import_module(node.module)
            for name in (one.name for one in node.names):
                if not hasattr(module, name):
                    importlib.import_module(f"{node.module}.{name}")


def test_mutants_by_name_are_of_code_and_tests_that_are_there():
    """What a mutant replaces stands once in its file, and the tests that shall kill it exist."""
    for one in json.loads(
        (ROOT / "benchmarks" / "mutants" / "named.json").read_text(encoding="utf-8")
    ):
        assert (ROOT / one["path"]).read_text(encoding="utf-8").count(one["was"]) == 1, one["name"]
        for test in one["tests"]:
            file, *names = test.split("::")
            source = (ROOT / file).read_text(encoding="utf-8")
            assert all(name.partition("[")[0] in source for name in names), test
