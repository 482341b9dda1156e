"""Options that several commands share: declared once, so that they mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

MODEL_PANEL = "What is asked"

ModelName = Annotated[
    str,
    typer.Option(
        help="A model's name on the Hugging Face hub, or a folder.", rich_help_panel=MODEL_PANEL
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="Commit or branch of a hub model.", rich_help_panel=MODEL_PANEL)
]
Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N, or spread over all.", rich_help_panel=MODEL_PANEL),
]
Dtype = Annotated[
    str, typer.Option(help="auto, float32, bfloat16 or float16.", rich_help_panel=MODEL_PANEL)
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run Python code that the model brings.",
        rich_help_panel=MODEL_PANEL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
