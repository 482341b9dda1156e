"""The options of ``bbalign fit``; those that another command has too mean the same there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import panel

_search, _survey, _end = map(panel, ("How it is searched", "What is compared", "When it ends"))
_run, _where = panel("Where it is kept"), panel("Where it runs")

Country = Annotated[
    list[str] | None,
    typer.Option(
        help="Code, name or alias; several (repeated, or SAU,USA) share one search. "
        "Also a group: all, a continent, or cultural-palette."
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(help="People that the file of --opinions declares, in the place of a country."),
]
Objective = Annotated[
    str,
    _survey(
        help="What is made small: indices is the mean distance of the survey's indices from the "
        "published ones, in points of a scale of about 0 to 100; opinions is the distance of "
        "the answer shares from people's; or a sum such as indices+0.5*opinions."
    ),
]
Opinions = Annotated[str, _survey(help="An opinion survey's name, or a file of yours.")]
HeldOut = Annotated[float, _survey(help="Share of the opinion questions that no search sees.")]
Validation = Annotated[
    float | None,
    _survey(
        help="Share of the opinion questions to fit that only say when to stop. Default: a quarter."
    ),
]
SurveyName = Annotated[str, _survey(help="A survey's name, or a YAML file of yours.")]
Targets = Annotated[
    str | None,
    _survey(help="For indices: a target set's name, or a CSV file. Default: tool-2023-05."),
]
Constants = Annotated[
    str,
    _survey(
        help="For indices: each is known up to a shift, the same for all countries. anchor: the model "
        "as it is gets the mean of all targets; anchor:COUNTRY: that country's figures; "
        "zero: no shift; given:FILE: yours."
    ),
]
Readout = Annotated[str, _survey(help="Answers as expected, greedy or sampled.")]
Respondents = Annotated[int, _survey(help="Answers drawn per item, if sampled.")]
Temperature = Annotated[float, _survey(help="Temperature of the draws, if sampled.")]
OptimizerName = Annotated[str, _search(help="See `bbalign optimizers`.")]
OptimizerOptions = Annotated[
    list[str] | None, _search(help="NAME=VALUE, an option of the optimizer; repeat for more.")
]
Tokens = Annotated[
    int | None,
    _search(
        help="Length of the soft prompt.  Default: 1 in the last place, 5 in any other, 20 if sampled."
    ),
]
Placement = Annotated[
    str,
    _search(
        help="Where the soft prompt stands: first, as PEFT has it; message, inside the first message; "
        "or last, before the answer, cheap and for questionnaires alone. auto is last; for adam message, "
        "or first without a chat template, if it is heeded there; or what the model's card says."
    ),
]
Language = Annotated[
    float | None,
    _search(
        help="Weight of what the prompt does to the model's language: 1 adds an index point for "
        "each nat a token that its next words move; 0 leaves it out. Default: 1 for models that "
        "write; 0 with the prompt last."
    ),
]
Subspace = Annotated[int, _search(help="Dimension of the random subspace; 0 is all.")]
Alpha = Annotated[
    float,
    _search(
        help="How far a step of size 1 moves the prompt's vectors, in standard deviations of the "
        "model's own words; larger is bolder."
    ),
]
Init = Annotated[
    str,
    _search(
        help="Start: zeros, vocabulary or text:TEXT. auto is vocabulary: words drawn at random."
    ),
]
Orders = Annotated[
    str,
    _survey(
        help="Orders of the options that are asked and averaged over: 1, reversed (both ways), "
        "cyclic (rotations) or all. auto is reversed, for opinions cyclic, or what the model's card says."
    ),
]
Seed = Annotated[int, _search(help="Same seed, same result.")]
Seeds = Annotated[str | None, _search(help="One fit per seed, such as 0..4, and their spread.")]
HoldOut = Annotated[
    str,
    _survey(
        help="Indices that no search sees, such as LTO,IVR; pairs is every two of them in turn."
    ),
]
WarmStart = Annotated[
    str | None,
    _search("--from", help="A run to start from, by name or folder: its evaluations count."),
]
Budget = Annotated[
    str | None,
    _end(
        help="What may be spent at most: evaluations of one candidate, as 400; or 200k-tokens; or 5min. "
        "Default: what a minute buys, from 500 to 2,000 evaluations."
    ),
]
Evaluations = Annotated[int, _end("--budget", help="Evaluations of one candidate at most.")]
TargetLoss = Annotated[
    float | None, _end(help="Stop at this loss. Default: 0.5 index points; 0 with opinions.")
]
Patience = Annotated[
    int | None,
    _end(help="Stop after so many evaluations without gain. With opinions: 60 without 5 %."),
]
Seconds = Annotated[float | None, _end(help="Stop after so much time.")]
Runs = Annotated[Path, _run(help="Folder of the runs.")]
RunName = Annotated[str | None, _run(help="Name of this run; made from its settings if not given.")]
NumberOfWorkers = Annotated[
    str | None,
    _where(help="Processes that ask the model, by Ray: a number, or auto. Default: this one."),
]
RayAddress = Annotated[str | None, _where(help="A running Ray cluster: auto or HOST:PORT.")]
GpusPerWorker = Annotated[
    float | None,
    _where(help="A share of one, such as 0.5, or several. Default: one, where there are any."),
]
Compile = Annotated[
    str,
    _where(
        help="auto compiles a model's layers on a GPU, once a size of a pass; never; or always."
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
    _survey(
        "--recite",
        help="Say in result and card what the model knows by heart of what it is fitted to.",
    ),
]
