"""What a machine and a model bring, and whether asking them in one pass gives the plain answers."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .engines.base import PARITY, PLACEMENTS
from .surveys import Survey

if TYPE_CHECKING:
    from .engines.checkpoint import LanguageModel

_CANDIDATES, _TOKENS = 20, 5
_LEAST_MASS = 0.5  # below it, a model mostly wants to say something that is no answer


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its ``value`` in words, and whether that is as it should be."""

    name: str
    value: str
    fine: bool = True


def examine(model: LanguageModel, survey: Survey, rng: np.random.Generator) -> Iterator[Finding]:
    """Look at the machine and put ``survey`` to ``model`` in several ways, one finding at a time.

    Raises
    ------
    ModelError
        The model cannot be asked this survey at all; the message says why.
    """
    from .engines.local.in_process import InProcessEvaluator
    from .engines.local.questions import tokenize_survey
    from .experts.parity import answer_plainly, answer_through_peft
    from .experts.peft_files import write_prompt

    yield Finding("versions", ", ".join(f"{name} {found}" for name, found in _versions()))
    yield Finding("device", _device(model))
    config, dtype = model.model.config.get_text_config(), str(model.dtype).removeprefix("torch.")
    yield Finding(
        "model",
        f"{model.name} ({config.model_type}, revision {model.revision[:12]}): "
        f"{model.model.num_parameters():,} parameters, {config.num_hidden_layers} layers, "
        f"{model.embedding_width} wide, {dtype}",
    )
    questions = tokenize_survey(survey, model.tokenizer)
    lengths = [len(question.context) for question in questions]
    style = "its chat template" if model.tokenizer.chat_template else "plain text"
    yield Finding(
        "questions",
        f"{len(questions)} items of {survey.name} in {style}, {min(lengths)} to {max(lengths)} tokens",
    )
    yield Finding("answer labels", "each is a single token of its own")

    first, last = (InProcessEvaluator(model, placement=placement) for placement in PLACEMENTS)
    shape = (_CANDIDATES, _TOKENS, model.embedding_width)
    prompts = rng.normal(0, model.embedding_std(), shape).astype(np.float32)
    answers, behind = first.answer(prompts, survey), last.answer(prompts, survey)
    yield Finding("attention", "all questions in one row, along the tree of what they share")
    per_pass = [e.candidates_per_pass(_TOKENS, survey) for e in (first, last)]
    yield Finding("batch", f"{per_pass[0]} candidates a pass, {per_pass[1]} with the prompt last")

    def gap(name: str, one: np.ndarray, other: np.ndarray) -> Finding:
        difference = float(np.abs(one - other).max())
        told = f"a label's probability differs by {difference:.1e} at most (allowed: {PARITY[dtype]:g})"
        return Finding(name, told, fine=difference <= PARITY[dtype])

    alone = np.concatenate([first.answer(prompt[None], survey) for prompt in prompts[:4]])
    yield gap("noise floor", answers[:4], alone)
    yield gap("one by one", answers[0], answer_plainly(prompts[0], model, survey)[0])
    yield gap("one by one, last", behind[0], answer_plainly(prompts[0], model, survey, "last")[0])
    with tempfile.TemporaryDirectory() as folder:
        write_prompt(Path(folder), prompts[0], model.source)
        yield gap("PEFT", answers[0], answer_through_peft(Path(folder), model, survey))
    _, mass = answer_plainly(prompts[0, :0], model, survey)
    yield Finding(
        "label mass",
        f"{mass.min():.4f} at least: the share of the next token that is a label, un-prompted",
        fine=bool(mass.min() > _LEAST_MASS),
    )
    for evaluator in (first, last):
        begin = time.perf_counter()
        evaluator.answer(prompts, survey)
        spent = time.perf_counter() - begin
        yield Finding(
            f"speed, prompt {evaluator.placement}",
            f"{_CANDIDATES / spent:,.1f} candidates a second, {_CANDIDATES} at once",
        )


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for package in ("blackbox-align", "torch", "transformers", "peft", "ray"):
        with suppress(PackageNotFoundError):
            yield package, version(package)


def _device(model: LanguageModel) -> str:
    import torch

    if model.device.type != "cuda":
        return (
            f"CPU, {torch.get_num_threads()} threads; torch sees {torch.cuda.device_count()} GPUs"
        )
    names = []
    for index in sorted({p.device.index for p in model.model.parameters() if p.is_cuda}):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        names.append(f"{torch.cuda.get_device_name(index)} ({memory:.0f} GiB)")
    return ", ".join(names)
