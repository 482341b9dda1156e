"""A run is a directory: what was asked, the journal, the expert and the result."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..files.atomic import plain_errors, read_json, write_json
from ..version import __version__
from .journal import Journal
from .specification import Specification, refuse_changes
from .stopping import Stopping

if TYPE_CHECKING:
    import pandas as pd

    from ..engines import Workers

FORMAT = 1


class Run:
    """One fit in its directory; see :func:`.fit.fit` for how one is made.

    ``run.json`` holds what was asked, the versions and hashes, and the status; ``journal.jsonl``
    every evaluation; ``expert/`` the best prompt; ``result.json`` the final table.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.status})"

    @classmethod
    def load(cls, path: Path | str) -> Run:
        """An existing run; :class:`RunError` where ``path`` holds none."""
        run = cls(path)
        if not run.exists():
            raise RunError(
                f"{run.path} is not a run: it holds no run.json. `bbalign runs` lists yours."
            )
        if run.record.get("format") != FORMAT:
            raise RunError(
                f"{run.path} was written in format {run.record.get('format')!r}; this version of "
                f"blackbox_align ({__version__}) reads format {FORMAT}."
            )
        return run

    # -- reading ---------------------------------------------------------------------------------

    def exists(self) -> bool:
        return (self.path / "run.json").is_file()

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        record: dict[str, Any] = read_json(self.path / "run.json")
        return record

    @property
    def specification(self) -> Specification:
        return Specification.from_dict(self.record["specification"])

    @property
    def status(self) -> str:
        """``running``, ``done``, ``interrupted`` or ``failed``."""
        return str(self.record["status"]) if self.exists() else "empty"

    @property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``: table, loss, reason of the end, provenance."""
        if not (self.path / "result.json").is_file():
            raise RunError(
                f"The run {self.path} has no result yet (it is {self.status}); "
                "the same fit command continues it."
            )
        result: dict[str, Any] = read_json(self.path / "result.json")
        return result

    @property
    def loss(self) -> float:
        """The loss of the fitted prompt, in index points or as a JS distance; of several, their mean.

        Of opinions it is that on the questions that were fitted, not on those held out.
        """
        return float(self.result["loss"])

    @property
    def expert(self) -> Path:
        """The folder of the best prompt, which PEFT loads."""
        return self.expert_of(str(self.specification.country))

    def expert_of(self, code: str) -> Path:
        """The folder of one country's best prompt, where several were fitted at once."""
        if self.specification.country == code:
            return self.path / "expert"
        return self.path / "experts" / code

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl")

    def result_of(self, code: str | None = None) -> dict[str, Any]:
        """The result of one country; its code is needed where several were fitted."""
        results = self.result.get("countries", [self.result])
        if code is None and len(results) == 1:
            return results[0]
        by_code = {result["country"]: result for result in results}
        if code not in by_code:
            raise RunError(f"The run {self.path} holds {', '.join(by_code)}: name one of them.")
        return by_code[code]

    def summary(self) -> pd.DataFrame:
        """One row per country: errors in index points, held-out JS distances (nats), and evaluations
        until its target loss.
        """
        import pandas as pd

        results = self.result.get("countries", [self.result])
        rows = [
            {
                "country": r["country"],
                **r.get("errors", {}),
                **{f"held_out_{name}": row["value"] for name, row in _held_out(r).items()},
                "reached_after": r["reached_after"],
            }
            for r in results
        ]
        return pd.DataFrame(rows).set_index("country")

    def table(self, code: str | None = None) -> pd.DataFrame:
        """One row per index: target, un-prompted, country named in text, fitted, error (points)."""
        import pandas as pd

        result = self.result_of(code)
        if "table" not in result:
            raise RunError(f"The run {self.path} fitted no indices; ask for its opinions.")
        frame = pd.DataFrame(result["table"]).set_index("index")
        return frame.drop(columns="title").astype(float)

    def opinions(self, code: str | None = None) -> pd.DataFrame:
        """One row per condition: JS distances (nats) on the held-out and on the fitted questions.

        ``fitted_minus`` is the paired difference on held-out questions; low and high are the ends of
        95 % intervals over questions.
        """
        import pandas as pd

        result = self.result_of(code)
        if "opinions" not in result:
            raise RunError(f"The run {self.path} fitted no opinions; ask for its table.")
        held_out, fit = result["opinions"]["held_out"], result["opinions"]["fit"]
        blocks = {
            "held_out": held_out["distances"],
            "fitted_minus": held_out["fitted_minus"],
            "fit": fit["distances"],
        }
        frames = {name: pd.DataFrame(rows).T.astype(float) for name, rows in blocks.items()}
        return pd.concat(frames, axis=1)

    def history(self) -> pd.DataFrame:
        """One row per evaluation: its loss and the best one so far, in index points.

        Of several countries it is the mean of their losses.
        """
        import pandas as pd

        losses = [loss for entry in self.journal.read() for loss in entry.losses]
        frame = pd.DataFrame({"loss": pd.Series(losses, dtype=float)})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="evaluation")
        return frame.assign(best=frame["loss"].cummin())

    # -- writing ---------------------------------------------------------------------------------

    def refuse_other_settings(self, specification: Specification) -> None:
        """Raise unless the folder is free, or holds a run with these settings."""
        if self.exists():
            self.load(self.path)  # refuses another format
            # Settings that came later had their defaults then.
            then = {**self.specification.to_dict(), **self.record["specification"]}
            refuse_changes(then, specification.to_dict(), self.path)
        elif any(p.name != "lock" and p.suffix != ".tmp" for p in self.path.iterdir()):
            raise RunError(f"{self.path} is not empty and not a run; name another with --name.")

    def begin(
        self,
        specification: Specification,
        stopping: Stopping,
        facts: Mapping[str, Any],
        workers: Workers | None = None,
    ) -> None:
        """Write ``run.json``; for an existing run, refuse ``facts`` that changed since.

        ``workers`` is where it runs now, which may be elsewhere each time.
        """
        where = asdict(workers) if workers else None
        if self.exists():
            refuse_changes(self.record["facts"], facts, self.path)
            self.update(
                status="running", stopping=asdict(stopping), workers=where, versions=versions()
            )
            return
        self._write(
            {
                "format": FORMAT,
                "status": "running",
                "specification": specification.to_dict(),
                "stopping": asdict(stopping),
                "facts": dict(facts),
                "workers": where,
                "versions": versions(),
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "seconds": 0.0,
                "reason": None,
            }
        )

    def update(self, **changes: Any) -> None:
        """Write some entries of ``run.json`` anew."""
        self._write({**self.record, **changes})

    def _write(self, record: dict[str, Any]) -> None:
        write_json(self.path / "run.json", record)
        self.record = record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: a second process that wants to write to it is turned away.

        If no run has begun in it by the end, because something asked was wrong, it goes again.
        """
        from filelock import FileLock, Timeout

        with plain_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock_file = self.path / "lock"
            lock = FileLock(lock_file)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"The run {self.path} is being worked on by another process; "
                    "wait for it, or start another run with --name."
                ) from None
        try:
            yield
        finally:
            if not self.exists():
                with suppress(OSError):
                    lock_file.unlink()
                    self.path.rmdir()
            lock.release()


def _held_out(result: Mapping[str, Any]) -> Mapping[str, Any]:
    distances: Mapping[str, Any] = result.get("opinions", {}).get("held_out", {})
    return distances.get("distances", {})


def find_runs(folder: Path | str = "runs") -> list[Run]:
    """The runs in a folder, by name."""
    return [Run(path.parent) for path in sorted(Path(folder).glob("*/run.json"))]


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    packages = ("numpy", "torch", "transformers", "peft", "cma")
    return {
        "blackbox_align": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
