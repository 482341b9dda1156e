"""What was read from a file, what was kept, and why the rest was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What was read from a file, what was kept, and why the rest was not.

    ``dropped`` maps a reason to the places in the file: ``read`` is ``kept`` plus all of them.
    ``options_left_out`` counts the "don't know", refused and missing options of the kept items;
    ``options`` names them with the number of items that had them. ``look_alikes`` are options that
    were kept though they resemble those. ``notes`` are sentences on what was read in one of several
    ways.
    """

    read: int
    kept: int
    dropped: Mapping[str, tuple[str, ...]]
    options_left_out: int = 0
    unit: str = "distributions"
    options: Mapping[str, int] | None = None
    look_alikes: Mapping[str, int] | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The report for people, one sentence per line, the commonest reason first."""
        lines = [f"{self.read:,} {self.unit} read, {self.kept:,} kept."]
        for reason, places in sorted(self.dropped.items(), key=lambda entry: -len(entry[1])):
            where = ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")
            lines.append(f"{len(places):,} left out: {reason} ({where}).")
        if self.options_left_out:
            lines.append(
                f'{self.options_left_out:,} options such as "don\'t know", refused or missing were '
                "left out, and the shares of the others were scaled to sum to 1."
            )
        return [*lines, *self.notes]
