"""A colour by preference: LoRA on the feed-forward parts, trained by ORPO (Cultural Palette, section 3).

transformers' Trainer does the steps, and by its checkpoints a killed training goes on to the same bits; the
loss is :mod:`.loss`. It trains a module of its own, never one that an engine asks.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.adapter import Lora
from ..engines.adapted import import_for_peft
from ..engines.checkpoint import Checkpoint
from ..engines.local.chat import Reader, common_prefix
from ..errors import RunError, SpecificationError, require_one_of
from ..experts.peft_files import read_peft
from ..files.atomic import plain_errors, read_json, replace_folder, write_json
from .loss import CONTRASTS, NORMALISATIONS, answer_log_probabilities, preference_loss
from .preferences import Preference

TARGETS = ("gate_proj", "up_proj", "down_proj")
_RECORD, _ADAPTER = "alignment.json", "adapter"
_POSITIVE = (
    "learning_rate", "epochs", "rank", "alpha", "batch", "most_tokens", "save_every",
)  # fmt: skip
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True)
class AlignmentSettings:
    """How a colour is trained; the first four are the paper's where it says them.

    Parameters
    ----------
    strength : lambda, the weight of the contrast; 0 is supervised fine-tuning alone
    learning_rate : 5e-5 is for billions of weights; the model that ships here wants 2e-3
    epochs : how often every question comes
    contrast, normalise : see :mod:`.loss`; which the paper means by "probability ratio" it does not say
    rank, alpha, dropout : of the LoRA
    batch : questions of a step, each with all its answers
    most_tokens : of a question with its answer; what is longer is cut at the end
    save_every : steps between two checkpoints
    """

    strength: float = 0.1
    learning_rate: float = 5e-5
    epochs: int = 2
    contrast: str = "odds"
    normalise: str = "mean"
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    batch: int = 8
    most_tokens: int = 1024
    save_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        require_one_of("contrast", self.contrast, CONTRASTS)
        require_one_of("normalise", self.normalise, NORMALISATIONS)
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise SpecificationError(f"{name} must be above 0; not {getattr(self, name)}.")
        if not (np.isfinite(self.strength) and self.strength >= 0 and 0 <= self.dropout < 1):
            raise SpecificationError(
                f"The strength is 0 or more and the dropout in [0, 1); not {self.strength:g} and "
                f"{self.dropout:g}."
            )


@dataclass(frozen=True)
class Example:
    """A question with its answers in tokens: ``rows`` begin with the same context; ``starts`` is where the
    answer of each begins."""

    rows: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]


def train_lora(
    checkpoint: Checkpoint,
    preferences: Sequence[Preference],
    settings: AlignmentSettings,
    work: Path,
    on_step: OnStep | None = None,
) -> Lora:
    """The LoRA of a colour; a training that was killed goes on, and one that is done is read.

    Parameters
    ----------
    work : the folder of its checkpoints
    on_step : called with the step, the number of steps and the loss

    Raises
    ------
    SpecificationError
        ``work`` was begun with other settings, preferences or another model; or there is no preference.
    RunError
        A folder cannot be written or read.
    """
    done = work / _ADAPTER
    _begin(work, checkpoint, preferences, settings)
    if not done.is_dir():
        model = replace(checkpoint).model  # read anew: training writes into it
        reader = Reader(model.tokenizer)
        examples = [tokenized(one, reader, settings.most_tokens) for one in preferences]
        with _own_randomness(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of one library about another
            adapted = _train(model.model, model.tokenizer, examples, settings, work, on_step)
        draft = work / f".{_ADAPTER}.new"
        with plain_errors(work):
            shutil.rmtree(draft, ignore_errors=True)
            adapted.save_pretrained(str(draft))
        replace_folder(draft, done)
    return read_peft(done).loras[0]


def tokenized(preference: Preference, reader: Reader, most_tokens: int) -> Example:
    """A preference in tokens, as the model is asked; a text ends with the end of a text, a label does not.

    Raises :class:`SpecificationError` where the question alone is too long, or an answer has no token.
    """
    rendered = reader.render(preference.query)
    context = reader.tokens(rendered)
    rows, starts = [], []
    for answer in (preference.chosen, *preference.rejected):
        row = reader.tokens(rendered, answer)
        start = len(common_prefix([context, row]))
        end = reader.tokenizer.eos_token_id
        if len(row) - start > 1 and end is not None:
            row = [*row, end]
        if start >= len(row) or start >= most_tokens:
            raise SpecificationError(
                f"The question {preference.query[:60]!r} leaves no room for the answer {answer[:30]!r} in "
                f"{most_tokens} tokens; shorten it or allow more."
            )
        rows.append(tuple(row[:most_tokens]))
        starts.append(start)
    return Example(tuple(rows), tuple(starts))


def collate(examples: Sequence[Example], padding: int) -> dict[str, Any]:
    """Tensors of a batch: rows padded behind, answers in groups of 1 + K.

    ``input_ids``, ``attention_mask`` and ``answer`` are (rows, T); ``place`` (questions, 1 + K) is the row
    of an answer, ``offered`` which of them there are.
    """
    import torch

    rows = [row for example in examples for row in example.rows]
    starts = [start for example in examples for start in example.starts]
    longest, most = max(map(len, rows)), max(len(example.rows) for example in examples)
    ids = torch.full((len(rows), longest), padding)
    mask, answer = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
        answer[number, start : len(row)] = True
    place = torch.zeros((len(examples), most), dtype=torch.long)
    offered = torch.zeros_like(place, dtype=torch.bool)
    at = 0
    for number, example in enumerate(examples):
        count = len(example.rows)
        place[number, :count] = torch.arange(at, at + count)
        offered[number, :count] = True
        at += count
    return {
        "input_ids": ids, "attention_mask": mask, "answer": answer, "place": place, "offered": offered,
    }  # fmt: skip


def batch_loss(model: Any, inputs: dict[str, Any], settings: AlignmentSettings) -> Any:
    """The loss of a batch of :func:`collate`; logits are made from where the first answer begins."""
    ids, answer = inputs["input_ids"], inputs["answer"]
    first = int(answer.any(0).nonzero()[0]) - 1
    kept = ids.shape[1] - first
    logits = model(
        input_ids=ids, attention_mask=inputs["attention_mask"], use_cache=False, logits_to_keep=kept
    ).logits[:, -kept:]
    found = answer_log_probabilities(logits, ids[:, first:], answer[:, first:], settings.normalise)
    return preference_loss(
        found[inputs["place"]], inputs["offered"], settings.strength, settings.contrast
    ).total


def _train(
    base: Any,
    tokenizer: Any,
    examples: list[Example],
    settings: AlignmentSettings,
    work: Path,
    on_step: OnStep | None,
) -> Any:
    """The model with its trained LoRA."""
    from peft import LoraConfig, get_peft_model
    from transformers import PrinterCallback, Trainer, TrainerCallback, set_seed

    import_for_peft()
    set_seed(settings.seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(TARGETS),
    )
    adapted = get_peft_model(base, config)
    padding = tokenizer.pad_token_id
    padding = tokenizer.eos_token_id if padding is None else padding
    last = 0.0

    class Aligning(Trainer):  # type: ignore[misc, unused-ignore]
        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            nonlocal last
            loss = batch_loss(model, inputs, settings)
            last = float(loss.detach())
            return loss

    class Telling(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            if on_step is not None:
                on_step(state.global_step, state.max_steps, last)

    trainer = Aligning(
        model=adapted,
        args=_arguments(settings, work, next(base.parameters()).device.type == "cpu"),
        train_dataset=examples,
        data_collator=lambda some: collate(some, padding if padding is not None else 0),
        callbacks=[Telling()],
    )
    trainer.remove_callback(PrinterCallback)  # it prints
    trainer.train(resume_from_checkpoint=_last_whole(work))
    return adapted.eval()


def _arguments(settings: AlignmentSettings, work: Path, on_cpu: bool) -> Any:
    """The Trainer's own settings: quiet, with two checkpoints kept."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=settings.batch,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        optim="adamw_torch",
        seed=settings.seed,
        data_seed=settings.seed,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=on_cpu,
    )


def _begin(
    work: Path,
    checkpoint: Checkpoint,
    preferences: Sequence[Preference],
    settings: AlignmentSettings,
) -> None:
    """Record what is trained, or refuse a folder that was begun with something else."""
    if not preferences:
        raise SpecificationError("There is no preference to train on.")
    content = json.dumps([asdict(one) for one in preferences])
    now = {
        "model": checkpoint.name,
        "model_revision": checkpoint.revision,
        "preferences": hashlib.sha256(content.encode()).hexdigest(),
        "settings": asdict(settings),
    }
    with plain_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    path = work / _RECORD
    if not path.is_file():
        if any(work.glob("checkpoint-*")) or (work / _ADAPTER).exists():
            raise RunError(f"{work} holds a training, and not what it is of; name another folder.")
        write_json(path, now)
        return
    then = read_json(path)
    changed = [
        key.replace("_", " ")
        for key in now
        if key != "model" and (not isinstance(then, dict) or then.get(key) != now[key])
    ]
    if changed:
        raise SpecificationError(
            f"{work} was begun with other {' and '.join(changed)}; ask for the same to go on, or name "
            "another folder."
        )


def _last_whole(work: Path) -> str | None:
    """The last checkpoint that was written to its end; what a kill left of a later one is removed."""
    found = sorted(work.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2] or 0))
    for folder in reversed(found):
        parts = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")
        try:  # the state is written last
            whole = isinstance(read_json(folder / "trainer_state.json"), dict)
        except RunError:
            whole = False
        if whole and all((folder / part).is_file() for part in parts):
            return str(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return None


@contextmanager
def _own_randomness() -> Iterator[None]:
    """The Trainer seeds the generators of all libraries; afterwards they stand where they stood."""
    import torch

    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002
