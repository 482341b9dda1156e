"""The order of the rooms, read from what every file imports."""

import ast
import re
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


# `fit` and `score` take every setting by name, and a command has a parameter for each of its options.
LONG = ("fit", "score")
MOST_LINES_OF_A_FILE, MOST_LINES, MOST_PARAMETERS = 400, 60, 10


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [node for node in tree if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def is_long(file: Path, name: str) -> bool:
    return name in LONG or (room_of(file) == "cli" and name.endswith("_command"))


def test_no_file_is_longer_than_one_reads_at_a_sitting():
    for file in FILES:
        lines = file.read_text(encoding="utf-8").count("\n")
        assert lines <= MOST_LINES_OF_A_FILE, f"{file}: {lines} lines"


def test_no_function_is_longer_than_a_screen():
    """Of those with many settings, the statements below the signature and the docstring."""
    for file in FILES:
        for node in functions(file):
            begins = node.lineno
            if is_long(file, node.name):
                told = ast.get_docstring(node) is not None
                begins = node.body[1 if told else 0].lineno
            lines = node.end_lineno - begins + 1
            assert lines <= MOST_LINES, f"{file}, {node.name}: {lines} lines"


def test_no_function_takes_more_than_ten_parameters():
    for file in FILES:
        for node in functions(file):
            given = node.args
            names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            count = len([name for name in names if name not in ("self", "cls")])
            most = count if is_long(file, node.name) else MOST_PARAMETERS
            assert count <= most, f"{file}, {node.name}: {count} parameters"


def test_the_guide_names_files_that_are_there():
    """In the tables of rooms and of questions on its first page."""
    root = PACKAGE.parent
    room, named = "", []
    for line in (root / "docs" / "index.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("| "):
            continue
        paths = re.findall(r"`([\w/]+(?:\.py|\.yaml|\.html|/))`", line)
        room = next((path for path in paths[:1] if path.endswith("/")), "")
        named += [room + path for path in paths if path != room]
    assert len(named) > 40
    lost = [n for n in named if not (PACKAGE / n).exists() and not (root / n).exists()]
    assert not lost, lost
