"""``bbalign countries``, ``models`` and ``optimizers``: what can be named in a fit."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from .options import AsJson
from .screen import print_json, print_table, say


def countries_command(
    name: Annotated[
        str | None,
        typer.Argument(help="A country, several (SAU,USA), or a group.", show_default=False),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="A target set's name, or a CSV file of yours.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the countries of a target set, or all target sets' figures for one country.

    Groups of countries: all, Africa, Americas, Asia, Europe, Oceania, cultural-palette.
    """
    from ..populations import countries, load_targets, target_sets
    from ..populations.groups import GROUPS, expand, parse_countries

    words = parse_countries(name) if name is not None else ()
    if len(words) != 1 or words[0] in GROUPS:
        target_set = load_targets(targets)
        codes = [c.code for c in expand(words, target_set.codes)] if words else target_set.codes
        rows = [(code, countries()[code].name, target_set, code) for code in codes
                if code in target_set.figures]  # fmt: skip
        head = ("code", "country")
    else:
        (country,) = expand(words)
        sets = [load_targets(targets)] if targets else target_sets()
        target_set = sets[0]
        rows = [(s.name, s.title, s, country.code) for s in sets if country.code in s.figures]
        head = ("targets", f"{country.name} ({country.code})")
        if not rows:
            target_set.target(country, target_set.indices)  # says so, with the nearest that has
    records = [
        {
            head[0]: first,
            "name": second,
            **{
                index: None if math.isnan(value) else value
                for index, value in zip(s.indices, s.figures[code], strict=True)
            },
            "estimate": code in s.estimates,
        }
        for first, second, s, code in rows
    ]
    if as_json:
        print_json(records)
        return
    cells = [
        [str(r[head[0]]), str(r["name"]) + (" *" if r["estimate"] else "")]
        + ["-" if r.get(i) is None else f"{r[i]:g}" for i in target_set.indices]
        for r in records
    ]
    print_table([*head, *target_set.indices], cells, right=range(2, 8))
    say(f"\n{target_set.title if head[0] == 'code' else 'Editions disagree'}; * is an estimate.")


def models_command(as_json: AsJson = False) -> None:
    """List the models that ship with the package; any Hugging Face causal model can be named."""
    import json

    from ..models import packaged_models

    rows = []
    for name, folder in packaged_models().items():
        shape = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        rows.append(
            {
                "model": name,
                "architecture": shape["model_type"],
                "layers": shape["num_hidden_layers"],
                "width": shape["hidden_size"],
                "folder": str(folder),
            }
        )
    if as_json:
        print_json(rows)
        return
    print_table(list(rows[0]), [[str(v) for v in row.values()] for row in rows], right=(2, 3))
    say("\nAny causal model of the Hugging Face hub, by name or folder: --model NAME")


def optimizers_command(
    nevergrad: Annotated[
        bool, typer.Option("--nevergrad", help="Also those of nevergrad, as ng:NAME.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the optimizers and their options."""
    from ..optimizers import describe, names

    found = [describe(name) for name in names(nevergrad=nevergrad)]
    if as_json:
        print_json([{"name": d.name, "summary": d.summary, "options": d.options} for d in found])
        return
    print_table(
        ("optimizer", "what it is", "options"),
        [(d.name, d.summary, " ".join(f"{k}={v}" for k, v in d.options.items())) for d in found],
    )
