"""What stands for a missing value in files: marks and codes, one table for all readers.

The codes are those of the statistical packages and of the code books of the field: -1 to -9 (World
Values Survey, European Values Study), 7, 8, 9 and their doubles and triples (ISSP, Afrobarometer,
Pew), 96 to 98 and 996 to 998 (Latinobarómetro, Eurobarometer), 9999 and the like (census files), 888888
and 988888 (AmericasBarometer).
"""

from __future__ import annotations

from collections.abc import Sequence

MARKS = frozenset(
    {
        "", "na", "n/a", "n.a.", "nan", "null", "#null!", "#n/a", "#na", "none", "nil", "missing",
        "-", "--", "–", "—", ".", "..", "...", ":", "<na>", "nat", "#div/0!", "#value!", "#ref!",
    }
)  # fmt: skip

NEGATIVE = frozenset({*range(-9, 0), *range(-99, -94), -66, -77, -88, -999, -998, -997, -9999})
REPEATED = frozenset(
    {66, 77, 88, 99, 666, 777, 888, 999, 6666, 7777, 8888, 9999, 77777, 88888, 99999, 777777, 888888,
     988888, 999999, 8888888, 9999999}
)  # fmt: skip
LATE = frozenset(
    {n for many in (99, 999, 9999, 99999, 999999, 9999999) for n in range(many - 4, many)}
)


def is_mark(cell: str) -> bool:
    """Whether a cell says in the usual ways that there is no value."""
    return cell.strip().casefold() in MARKS


def is_missing_code(value: float) -> bool:
    """Whether a number is one of those that stand for a missing value in code books.

    It says nothing of a number that the scale itself has: see :func:`missing_codes`.
    """
    return value in NEGATIVE or value in REPEATED or value in LATE


def missing_codes(codes: Sequence[int]) -> set[int]:
    """Those of the codes of an item that stand for no answer; the rest are its scale.

    Negative codes belong to a scale that is symmetric (-2 to 2); else they are missing. So are
    conventional codes behind a gap: 88 behind 1 2 3, but 8 behind a run without a gap only. Where
    what remains goes on beyond 11, nothing can be told, and no code is taken for missing; nor is 7, 8 or 9
    where it does not begin at 0 or 1.
    """
    distinct = sorted(set(codes))
    kept = [code for code in distinct if code >= 0]
    for n in range(1, len(kept)):
        run = kept[n - 1] - kept[0] == n - 1
        late = all(
            code in REPEATED or code in LATE or (run and kept[0] < 2 and 7 <= code <= 9)
            for code in kept[n:]
        )
        if late and kept[n] - kept[n - 1] > 1 and (run or kept[n] > 9):
            kept = kept[:n]
            break
    below = [code for code in distinct if code < 0]
    if below and {-code for code in below} == {code for code in kept if code}:
        return set(distinct) - {*below, *kept}
    plain = len(kept) >= 2 and kept[-1] <= 11
    negative = all(code in NEGATIVE for code in below)
    return set(distinct) - set(kept) if plain and negative else set()
