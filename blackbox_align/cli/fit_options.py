"""The options of ``bbalign fit``; those that another command has too mean the same there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SEARCH, _SURVEY, _END, _RUN, _WHERE = (
    "How it is searched", "What is compared", "When it ends", "Where it is kept", "Where it runs"
)  # fmt: skip

Country = Annotated[
    list[str] | None,
    typer.Option(
        help="Code, name or alias; several (repeated, or SAU,USA) share one search. "
        "Also a group: all, a continent, or cultural-palette.",
        show_default=False,
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(
        help="People that the file of --opinions declares, in the place of a country.",
        show_default=False,
    ),
]
Objective = Annotated[
    str,
    typer.Option(
        help="What is made small: indices is the mean distance of the survey's indices from the "
        "published ones, in points of a scale of about 0 to 100; opinions is the distance of "
        "the answer shares from people's; or a sum such as indices+0.5*opinions.",
        rich_help_panel=_SURVEY,
    ),
]
Opinions = Annotated[
    str,
    typer.Option(help="An opinion survey's name, or a file of yours.", rich_help_panel=_SURVEY),
]
HeldOut = Annotated[
    float,
    typer.Option(
        help="Share of the opinion questions that no search sees.", rich_help_panel=_SURVEY
    ),
]
Validation = Annotated[
    float | None,
    typer.Option(
        help="Share of the opinion questions to fit that only say when to stop. Default: a quarter.",
        show_default=False,
        rich_help_panel=_SURVEY,
    ),
]
SurveyName = Annotated[
    str, typer.Option(help="A survey's name, or a YAML file of yours.", rich_help_panel=_SURVEY)
]
Targets = Annotated[
    str | None,
    typer.Option(
        help="A target set's name, or a CSV file of yours. Default: tool-2023-05.",
        show_default=False,
        rich_help_panel=_SURVEY,
    ),
]
Constants = Annotated[
    str,
    typer.Option(
        help="An index is known up to a shift, the same for all countries. anchor: the model "
        "as it is gets the mean of all targets; anchor:COUNTRY: that country's figures; "
        "zero: no shift; given:FILE: yours.",
        rich_help_panel=_SURVEY,
    ),
]
Readout = Annotated[
    str,
    typer.Option(help="Answers as expected, greedy or sampled.", rich_help_panel=_SURVEY),
]
Respondents = Annotated[
    int, typer.Option(help="Answers drawn per item, if sampled.", rich_help_panel=_SURVEY)
]
Temperature = Annotated[
    float, typer.Option(help="Temperature of the draws, if sampled.", rich_help_panel=_SURVEY)
]
OptimizerName = Annotated[
    str, typer.Option(help="See `bbalign optimizers`.", rich_help_panel=_SEARCH)
]
OptimizerOptions = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=VALUE, an option of the optimizer; repeat for more.", rich_help_panel=_SEARCH
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        help="Length of the soft prompt.  Default: 1 in the last place, 5 in any other.",
        show_default=False,
        rich_help_panel=_SEARCH,
    ),
]
Placement = Annotated[
    str,
    typer.Option(
        help="Where the soft prompt stands: first, as PEFT has it; message, inside the first message; "
        "or last, before the answer, cheap and for questionnaires alone. auto is last; for adam message, "
        "or first without a chat template; or what the model's card says.",
        rich_help_panel=_SEARCH,
    ),
]
Language = Annotated[
    float | None,
    typer.Option(
        help="Weight of what the prompt does to the model's language: 1 adds an index point for "
        "each nat a token that its next words move; 0 leaves it out. Default: 1 for models that "
        "write; 0 with the prompt last.",
        show_default=False,
        rich_help_panel=_SEARCH,
    ),
]
Subspace = Annotated[
    int,
    typer.Option(help="Dimension of the random subspace; 0 is all.", rich_help_panel=_SEARCH),
]
Alpha = Annotated[
    float,
    typer.Option(
        help="How far a step of size 1 moves the prompt's vectors, in standard deviations of the "
        "model's own words; larger is bolder.",
        rich_help_panel=_SEARCH,
    ),
]
Init = Annotated[
    str,
    typer.Option(
        help="Start: zeros, vocabulary or text:TEXT. auto is vocabulary: words drawn at random.",
        rich_help_panel=_SEARCH,
    ),
]
Orders = Annotated[
    str,
    typer.Option(
        help="Orders of the options that are asked and averaged over: 1, reversed (both ways), "
        "cyclic (rotations) or all. auto is reversed, for opinions cyclic, or what the model's card says.",
        rich_help_panel=_SURVEY,
    ),
]
Seed = Annotated[int, typer.Option(help="Same seed, same result.", rich_help_panel=_SEARCH)]
Seeds = Annotated[
    str | None,
    typer.Option(
        help="One fit per seed, such as 0..4, and their spread.",
        show_default=False,
        rich_help_panel=_SEARCH,
    ),
]
HoldOut = Annotated[
    str,
    typer.Option(
        help="Indices that no search sees, such as LTO,IVR; pairs is every two of them in turn.",
        rich_help_panel=_SURVEY,
    ),
]
WarmStart = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="A run to start from, by name or folder: its evaluations count.",
        rich_help_panel=_SEARCH,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        help="What may be spent at most: evaluations of one candidate, as 400; or 200k-tokens; or 5min. "
        "Default: what a minute buys, from 500 to 2,000 evaluations.",
        show_default=False,
        rich_help_panel=_END,
    ),
]
Evaluations = Annotated[
    int,
    typer.Option("--budget", help="Evaluations of one candidate at most.", rich_help_panel=_END),
]
TargetLoss = Annotated[
    float | None,
    typer.Option(
        help="Stop at this loss. Default: 0.5 index points; 0 with opinions.",
        show_default=False,
        rich_help_panel=_END,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after so many evaluations without gain. With opinions: 60 without 5 %.",
        show_default=False,
        rich_help_panel=_END,
    ),
]
Seconds = Annotated[
    float | None, typer.Option(help="Stop after so much time.", rich_help_panel=_END)
]
Runs = Annotated[Path, typer.Option(help="Folder of the runs.", rich_help_panel=_RUN)]
RunName = Annotated[
    str | None,
    typer.Option(
        help="Name of this run; made from its settings if not given.", rich_help_panel=_RUN
    ),
]
NumberOfWorkers = Annotated[
    str | None,
    typer.Option(
        help="Processes that ask the model, by Ray: a number, or auto. Default: this one.",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="A running Ray cluster: auto or HOST:PORT.",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        help="A share of one, such as 0.5, or several. Default: one, where there are any.",
        show_default=False,
        rich_help_panel=_WHERE,
    ),
]
Compile = Annotated[
    str,
    typer.Option(
        help="auto compiles a model's layers on a GPU, once a size of a pass; never; or always.",
        rich_help_panel=_WHERE,
    ),
]
Pareto = Annotated[
    bool,
    typer.Option(
        "--pareto",
        help="Print the evaluations that none betters in all parts of the loss, the language too.",
    ),
]
Recite = Annotated[
    bool,
    typer.Option(
        "--recite",
        help="Say in result and card what the model knows by heart of what it is fitted to.",
        rich_help_panel=_SURVEY,
    ),
]
