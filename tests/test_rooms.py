"""The order of the rooms, read from what every file imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import blackbox_align

PACKAGE = Path(blackbox_align.__file__).parent
# Ground floor first: a room imports only rooms that stand before it.
ROOMS = (
    "errors", "version", "later", "statistics", "plots", "optimizers", "files", "results", "report",
    "adapters", "models", "populations", "surveys", "engines", "objectives", "experts", "assessment",
    "fitting", "committee", "palette", "serving", "doctor", "testing", "cli", "__main__",
)  # fmt: skip
HEAVY = ("torch", "transformers", "ray", "nevergrad", "peft", "matplotlib", "fastapi", "uvicorn")
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> list[tuple[int, str]]:
    """The line and the full name of every module that a file imports, late ones included."""
    here = ["blackbox_align", *file.relative_to(PACKAGE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            if module == ["blackbox_align"]:
                found += [(node.lineno, f"blackbox_align.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, ".".join(module)))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_before_it(file):
    """No circle between rooms, and no arrow back up."""
    room = room_of(file)
    if room == "__init__":
        return
    floor = ROOMS.index(room)
    for line, module in imports(file):
        other = module.split(".")[1] if module.startswith("blackbox_align.") else room
        if other in ROOMS:
            assert ROOMS.index(other) <= floor, f"line {line}: {room} imports {other}"


def test_optimizers_and_statistics_know_nothing_of_the_rest():
    """They see arrays: of ours they import errors and their own room alone."""
    for file in FILES:
        room = room_of(file)
        if room in ("optimizers", "statistics"):
            ours = {m.split(".")[1] for _, m in imports(file) if m.startswith("blackbox_align.")}
            assert ours <= {"errors", room}, file


def test_adapters_and_results_need_no_torch():
    """Values are read without a model."""
    for file in FILES:
        if room_of(file) in ("adapters", "results", "statistics", "populations"):
            heavy = [m for _, m in imports(file) if m.split(".")[0] in HEAVY]
            assert not heavy, f"{file}: {heavy}"


def test_only_the_command_line_prints():
    """Anything else that printed would end up among somebody's results."""
    for file in FILES:
        if room_of(file) in ("cli", "__main__", "doctor"):
            continue
        calls = [
            node.lineno
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        ]
        assert not calls, f"{file}, lines {calls}"


def test_heavy_libraries_come_when_they_are_used():
    """`import blackbox_align` and the command line's own modules load none of them."""
    code = (
        "import sys, blackbox_align, blackbox_align.cli.main, blackbox_align.results;"
        f"print([name for name in {(*HEAVY, 'pandas', 'scipy.stats')!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
