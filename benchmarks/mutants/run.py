"""Which share of small faults do the tests notice?

python benchmarks/mutants/run.py              # 200 of objectives, optimizers and fitting
python benchmarks/mutants/run.py --sample 50 --seed 1 --rooms objectives
python benchmarks/mutants/run.py --named      # those that survived once, each by name

cosmic-ray's operators make the mutants (``pip install cosmic-ray coverage``), in a clone of what is
committed; those that change annotations alone are left out, for nothing runs them. The tests of the rooms
are run once, under coverage, which says which of them pass through which line; then every mutant has to
pass those of its line, cheapest first, in a process forked from one that has loaded torch.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PACKAGE = ROOT / "blackbox_align"
ROOMS = ("objectives", "optimizers", "fitting")
HEAVY = (
    "torch",
    "transformers",
    "scipy.optimize",
    "scipy.stats",
    "cma",
    "pandas",
    "hypothesis",
    "pytest",
)
SECONDS = 120  # of the processor for the tests of one mutant, which undisturbed take a tenth of it
MOST = 12.0  # seconds of undisturbed tests that a mutant has to pass: its cheapest ones


@dataclass(frozen=True)
class Mutant:
    """One change to one line of a file; ``code`` is the file as it is then."""

    path: str
    name: str
    line: int
    code: str
    tests: tuple[str, ...] = ()


def drawn(rooms: Sequence[str], sample: int, seed: int) -> tuple[list[Mutant], int]:
    """A random sample of those that change what runs, and how many there are with those that do not."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    # Not those that put variables in, nor bits for arithmetic, which numbers with a point do not have.
    kinds = {name: get_operator(name) for name in sorted(operator_names())}
    trivial = re.compile(r"_(Add|Sub|Mul|Div|FloorDiv|Mod|Pow)_(Bit\w+|[LR]Shift)$")
    operators = {
        name: kind()
        for name, kind in kinds.items()
        if not kind.arguments() and not trivial.search(name)
    }
    sources, every = {}, []
    for file in (file for room in rooms for file in sorted((PACKAGE / room).glob("*.py"))):
        path = file.relative_to(ROOT).as_posix()
        sources[path] = file.read_text(encoding="utf-8")
        nodes = list(ast_nodes(get_ast(sources[path])))
        for name, operator in operators.items():
            places = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            every += [(path, name, occurrence) for occurrence in range(places)]
    chosen: list[Mutant] = []
    for number in np.random.default_rng(seed).permutation(len(every)):
        path, name, occurrence = every[number]
        code = mutate_code(sources[path], operators[name], occurrence)
        if code and _what_runs(code) not in (_what_runs(sources[path]), None):
            line = _line(sources[path], code)
            chosen.append(Mutant(path, name.removeprefix("core/"), line, code))
        if len(chosen) == sample:
            break
    return chosen, len(every)


def named_mutants() -> Iterator[Mutant]:
    """What survived once, and what is near to it: see named.json."""
    for entry in json.loads((HERE / "named.json").read_text(encoding="utf-8")):
        source = (ROOT / entry["path"]).read_text(encoding="utf-8")
        assert source.count(entry["was"]) == 1, entry
        code = source.replace(entry["was"], entry["is"])
        yield Mutant(entry["path"], entry["name"], _line(source, code), code, tuple(entry["tests"]))


def _what_runs(source: str) -> str | None:
    """The code without its annotations, to compare; None where it is none."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def _line(source: str, code: str) -> int:
    pairs = enumerate(zip(source.splitlines(), code.splitlines(), strict=False), 1)
    return next(number for number, (a, b) in pairs if a != b)


class Watch:
    """A plugin of pytest: which tests pass which lines, and the processor's seconds of each."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)
        self.begun = sum(os.times()[:4])

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.coverage.switch_context("")
        self.seconds[nodeid] = sum(os.times()[:4]) - self.begun


def watched(copy: Path, folders: Sequence[str], to: Path) -> None:
    """Run the tests of ``folders`` once, and write what passes where: {"seconds": .., "lines": ..}."""
    import coverage
    import pytest

    cover = coverage.Coverage(data_file=None, include=[f"{copy}/blackbox_align/*"])
    watch = Watch(cover)
    cover.start()
    pytest.main([*folders, *QUIETLY, "-m", "not slow"], plugins=[watch])
    cover.stop()
    data = cover.get_data()
    lines = {
        str(Path(file).relative_to(copy)): data.contexts_by_lineno(file)
        for file in data.measured_files()
    }
    to.write_text(json.dumps({"seconds": watch.seconds, "lines": lines}))


QUIETLY = ("-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header")


def in_child(copy: Path, work: Any, limit: int | None = None) -> int | None:
    """What ``work()`` returns in a forked process, in ``copy``; None where its seconds were over."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(copy)
        if limit:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1), os.dup2(silence, 2)
        try:
            os._exit(int(work() or 0))
        except BaseException:
            os._exit(99)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError):  # what a test started and a mutant left
        os.killpg(child, signal.SIGKILL)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def survives(copy: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
    """Whether all the tests pass with the mutant in the copy."""
    import pytest

    file = copy / mutant.path
    source = file.read_bytes()
    stale = list((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"))
    for compiled in stale:  # equal lengths within a second would be taken for equal files
        compiled.unlink()
    file.write_text(mutant.code, encoding="utf-8")
    try:
        code = in_child(copy, lambda: pytest.main([*tests, *QUIETLY, "-m", "not slow"]), SECONDS)
    finally:
        file.write_bytes(source)
    return code == 0


def tests_of(mutant: Mutant, seen: dict[str, Any]) -> list[str]:
    """The cheapest tests that pass its line, or any line of its file where that runs at import alone."""
    lines = seen["lines"].get(mutant.path, {})
    ids = set(lines.get(str(mutant.line), ())) - {""} or {
        i for of in lines.values() for i in of if i
    }
    chosen, spent = [], 0.0
    for test in sorted(ids, key=seen["seconds"].__getitem__):
        spent += seen["seconds"][test]
        if chosen and spent > MOST:
            break
        chosen.append(test)
    return chosen


def interval(killed: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, p = 1.96, killed / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def prepare(folder: Path) -> Path:
    """A clone beside the reference data, seen by all processes that tests start."""
    copy = folder / "copy"
    if not copy.exists():
        subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
        if (ROOT.parent / "shared").exists():
            (folder / "shared").symlink_to((ROOT.parent / "shared").resolve())
    os.environ.update(PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1")
    sys.dont_write_bytecode = True
    sys.path[0] = str(copy)
    for name in HEAVY:
        importlib.import_module(name)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", default=ROOMS)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--named", action="store_true", help="those of named.json")
    parser.add_argument("--folder", type=Path, help="where the clone lies, and what was seen stays")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    copy = prepare(folder.absolute())
    seen: dict[str, Any] = {"lines": {}, "seconds": {}}
    if options.named:
        chosen = list(named_mutants())
    else:
        chosen, total = drawn(options.rooms, options.sample, options.seed)
        print(f"{len(chosen)} of {total} mutants", flush=True)
        for room in options.rooms:
            known = copy.parent / f"{room}.json"
            if not known.exists():
                in_child(copy, lambda r=room, k=known: watched(copy, [f"tests/{r}"], k))
            of_room = json.loads(known.read_text())
            seen["seconds"] |= of_room["seconds"]
            seen["lines"] |= {p: n for p, n in of_room["lines"].items() if f"/{room}/" in p}
    killed = 0
    for number, mutant in enumerate(chosen, 1):
        tests = mutant.tests or tests_of(mutant, seen)
        begun, lives = time.perf_counter(), not tests or survives(copy, mutant, tests)
        killed += not lives
        fate = "killed" if not lives else "SURVIVED" if tests else "NOT REACHED"
        print(f"{fate} {mutant.path}:{mutant.line} {mutant.name}; {len(tests)} tests,"
              f" {time.perf_counter() - begun:.0f} s", flush=True)  # fmt: skip
        if not number % 20 or number == len(chosen):
            low, high = interval(killed, number)
            share = f"{killed / number:.0%} [{low:.0%}, {high:.0%}]"
            print(f"== {killed} of {number} killed: {share}", flush=True)


if __name__ == "__main__":
    main()
