"""How the guide is built: `make guide` writes it to build/guide, from these pages and the code."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from blackbox_align import __all__ as public
from blackbox_align import __version__, errors

project = "blackbox_align"
author = "the authors of blackbox_align"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

html_theme = "furo"
html_title = f"blackbox_align {version}"
html_static_path: list[str] = []
html_show_sourcelink = False
html_theme_options = {"source_repository": "", "navigation_with_keys": True}

nitpicky = True
autodoc_typehints = "none"  # the docstrings say shapes and units, which types cannot
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False


def write_commands(app: Any) -> None:
    """The reference of the command line, made from the code by Typer."""
    target = Path(app.srcdir) / "reference" / "commands.md"
    command = [sys.executable, "-m", "typer", "blackbox_align.cli.main", "utils", "docs"]
    made = subprocess.run(
        [*command, "--name", "bbalign"], check=True, capture_output=True, text=True
    ).stdout
    target.parent.mkdir(exist_ok=True)
    text = html.unescape(made).replace("# `bbalign`", "# The commands", 1)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


_SECTION = re.compile(r"(Parameters|Attributes|Returns|Raises)$")
_FIELD = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.+)")
_ROLE = re.compile(r":(?:func|class|mod|data|meth|exc|attr):`([^`]+)`")


def tidy_docstring(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Our docstrings say ``name : what it is``, where numpydoc wants a type there."""
    made: list[str] = []
    section = ""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if _SECTION.match(line) and set(below.strip()) == {"-"}:
            section = line
        field = _FIELD.fullmatch(line) if section in ("Parameters", "Attributes") else None
        if field:
            made += [field[1], f"    {field[2]}"]
        elif section == "Raises" and hasattr(errors, line.strip()):
            made.append(f"blackbox_align.errors.{line.strip()}")
        else:
            made.append(line)
    if what in ("attribute", "property") and made:
        made[0] = f": {made[0]}"  # a colon in its sentence would make a type of what is before it
    lines[:] = [_ROLE.sub(_reference, line) for line in made]


def _reference(found: re.Match[str]) -> str:
    """A link to what has a place in the guide, and otherwise the name alone."""
    name = found[1].lstrip("~").rpartition(".")[2]
    if hasattr(errors, name):
        return f":exc:`~blackbox_align.errors.{name}`"
    if name in public:
        return f":obj:`~blackbox_align.{name}`"
    return f"``{found[1].lstrip('~.')}``"


_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)\)")


def name_what_is_elsewhere(app: Any, docname: str, source: list[str]) -> None:
    """Files of the repository that are no pages of the guide are named, not linked to."""
    root = Path(app.srcdir).resolve()
    here = (root / docname).parent

    def named(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        if target.is_relative_to(root):
            return found[0]
        path = target.relative_to(root.parent).as_posix()
        return f"`{path}`" if found[1].strip("`") in path else f"{found[1]} (`{path}`)"

    source[0] = _LINK.sub(named, source[0])


def setup(app: Any) -> None:
    app.connect("builder-inited", write_commands)
    app.connect("source-read", name_what_is_elsewhere)
    app.connect("autodoc-process-docstring", tidy_docstring, priority=400)  # before napoleon
