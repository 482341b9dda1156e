"""``bbalign doctor``: what this machine and a model bring, and whether they can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .fit_options import SurveyName
from .screen import print_json, stdout


def doctor_command(
    model: options.ModelName = "respondent-tiny",
    revision: options.Revision = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    chat_template: options.ChatTemplate = "auto",
    system: options.System = "",
    survey: SurveyName = "vsm2013",
    expert: Annotated[
        Path | None,
        typer.Option(help="Of an expert, in its folder: what it leaves of the model's language."),
    ] = None,
    recite: Annotated[
        bool,
        typer.Option(
            "--recite",
            help="Whether the model knows the survey by heart: items, scoring, published figures.",
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Examine this machine with a model: device, batch, speed, and several ways to the same answers.

    It ends with 1 where a line says that something is to be looked at.
    """
    import numpy as np

    from ..doctor import examine
    from ..engines.checkpoint import load_model
    from ..engines.opening import chat_format
    from ..experts.expert import find_expert
    from ..surveys import load_survey

    asked = load_survey(survey)
    loaded = load_model(
        model, revision=revision, device=device, dtype=dtype, trust_remote_code=trust_remote_code
    )
    form = chat_format(chat_template, system)
    findings = []
    adapter = None
    if expert is not None:
        found = find_expert(expert)
        found.refuse_other_model(loaded.info)
        adapter = found.adapter()
    rng = np.random.default_rng(0)
    for finding in examine(loaded, asked, rng, form, expert=adapter, recited=recite):
        findings.append(finding)
        if not as_json:
            screen = stdout()
            mark, style = ("ok  ", "green") if finding.fine else ("look", "bold red")
            screen.print(mark, style=style, end=" ")
            screen.print(f"{finding.name}:", style="bold", end=" ")
            screen.print(finding.value, soft_wrap=True)
    if as_json:
        print_json([{"name": f.name, "value": f.value, "fine": f.fine} for f in findings])
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)
