"""Asking a transformers model in this process.

A candidate costs the tokens that are its own and no padding. With the soft prompt first, all
questions of a survey stand behind it in one row, as a tree in which shared openings occur once.
With the soft prompt last, the questions are computed once for all candidates, and a candidate costs
its own virtual tokens behind each of them. Of the output layer only the rows of the answer labels
are computed, and only where a question ends.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from ...errors import ModelError
from ...surveys import Survey
from ..base import PARITY, check_placement
from ..checkpoint import LanguageModel
from .memory import free_memory, keep_freed_memory
from .prefix_tree import Node, flat_tokens, prefix_tree
from .questions import Question, tokenize_survey
from .tree_attention import (
    Continuations,
    PackedRow,
    gather,
    pack,
    question_lengths,
    tree_attention,
)

# Tokens of one pass: enough to keep any device busy. Half of them, and half again, until they take
# no more than this share of the memory that is free: batches then are not of a new size in each run.
_TOKENS_PER_PASS = 16_384
_SHARE_OF_MEMORY = 0.8
_PLANS = 4
_checked: WeakSet[torch.nn.Module] = WeakSet()


class InProcessEvaluator:
    """Answers with a model in this process; see :class:`.base.Evaluator`.

    Parameters
    ----------
    placement : one of :data:`.base.PLACEMENTS`
    batch_size : candidates per pass; by default as many as keep a device busy and fit into the
        memory that is free when the evaluator is made. It is halved, for good, should memory run
        out all the same. Answers depend on it by float noise only

    Raises
    ------
    ModelError
        From the first :meth:`answer`, where the model does not attend the way that this needs.
    """

    def __init__(
        self, model: LanguageModel, *, placement: str = "first", batch_size: int | None = None
    ) -> None:
        check_placement(placement)
        self.model = model
        self.placement = placement
        self.batch_size = batch_size
        self._plans: dict[str, _Plan] = {}
        devices = {parameter.device for parameter in model.model.parameters()}
        self._room = _SHARE_OF_MEMORY * min(map(free_memory, devices))
        if model.device.type == "cpu":
            keep_freed_memory()

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        plan = self._plan(survey)
        prompts = torch.as_tensor(np.asarray(soft_prompts, dtype=np.float32))
        answers: list[np.ndarray] = []
        done = 0
        while done < len(prompts):
            # In equal passes: one candidate left over would round differently, as a matrix of one
            # row takes another path, and workers that cut elsewhere would not give the same bits.
            left = len(prompts) - done
            passes = math.ceil(left / self.candidates_per_pass(prompts.shape[1], survey))
            batch = prompts[done : done + math.ceil(left / passes)]
            try:
                answers.append(self._answer_batch(batch, plan))
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise ModelError(
                        f"Memory ran out on {self.model.device} for a single candidate of "
                        f"{self.model.name!r}; use a smaller dtype, a smaller model or a larger device."
                    ) from error
                self.batch_size = len(batch) // 2
                continue
            done += len(batch)
        return np.concatenate(answers) if answers else np.zeros((0, *plan.shape), np.float32)

    def candidates_per_pass(self, tokens: int, survey: Survey) -> int:
        """How many soft prompts of ``tokens`` go into one pass."""
        if self.batch_size is not None:
            return self.batch_size
        plan = self._plan(survey)
        last = self.placement == "last" and tokens > 0
        each = tokens * len(plan.questions) if last else tokens + len(plan.tokens)
        beside = max(len(question.context) for question in plan.questions) + tokens if last else 0
        at_once = _TOKENS_PER_PASS
        while at_once > each and at_once * bytes_per_token(self.model, beside) > self._room:
            at_once //= 2
        return max(1, at_once // each)

    def _plan(self, survey: Survey) -> _Plan:
        if survey.sha256 not in self._plans:
            if len(self._plans) == _PLANS:  # the survey of a search is asked first, and stays
                self._plans.popitem()
            self._plans[survey.sha256] = plan = _Plan.of(survey, self.model)
            if self.model.model not in _checked:
                self._refuse_other_attention(plan)
                _checked.add(self.model.model)
        return self._plans[survey.sha256]

    @torch.inference_mode()
    def _answer_batch(self, soft_prompts: Tensor, plan: _Plan) -> np.ndarray:
        prompts = soft_prompts.to(self.model.device, self.model.dtype)
        last = self.placement == "last" and prompts.shape[1] > 0
        logits = self._ask_last(prompts, plan) if last else self._ask_first(prompts, plan)
        picked = logits.gather(-1, plan.columns.expand(len(logits), -1, -1))
        probabilities = picked.masked_fill(~plan.offered, -torch.inf).softmax(-1)
        # One item without a finite number makes the whole candidate's scores meaningless.
        broken = ~probabilities.isfinite().all(-1).all(-1)
        probabilities[broken] = torch.nan
        return probabilities.cpu().numpy()

    def _ask_first(self, prompts: Tensor, plan: _Plan) -> Tensor:
        """(candidates, items, labels of the survey) logits, the prompt before everything."""
        candidates, width, _ = prompts.shape
        row = plan.row(width)
        text = self._embed(plan.tokens).expand(candidates, -1, -1)
        ends = [row.paths[item][-1].stop - 1 for item in range(len(plan.questions))]
        return self._logits(torch.cat([prompts, text], dim=1), row, ends, plan)

    def _ask_last(self, prompts: Tensor, plan: _Plan) -> Tensor:
        """(candidates, items, labels of the survey) logits, the prompt right before the answer."""
        candidates, width, _ = prompts.shape
        row = self._continuations(plan, width, candidates)
        embeds = prompts.flatten(0, 1).expand(len(plan.questions), -1, -1)
        ends = range(width - 1, candidates * width, width)
        return self._logits(embeds, row, ends, plan).transpose(0, 1)

    def _continuations(self, plan: _Plan, width: int, candidates: int) -> Continuations:
        """Room for candidates behind the questions, whose keys and values are computed once."""
        if plan.continuations is None:
            cache, row = DynamicCache(), plan.row(0)
            with tree_attention(self.model.model):
                self.model.model(
                    inputs_embeds=self._embed(plan.tokens)[None],
                    position_ids=self._positions(row),
                    past_key_values=cache,
                    use_cache=True,
                    row=row,
                )
            past = gather(row, [(layer.keys, layer.values) for layer in cache.layers])
            lengths = torch.tensor(question_lengths(row), device=self.model.device)
            plan.continuations = Continuations(past, lengths, width, candidates)
        if (plan.continuations.width, plan.continuations.candidates) != (width, candidates):
            past, lengths = plan.continuations.past, plan.continuations.lengths
            plan.continuations = Continuations(past, lengths, width, candidates)
        return plan.continuations

    def _logits(
        self, embeds: Tensor, row: PackedRow | Continuations, ends: Any, plan: _Plan
    ) -> Tensor:
        """(rows, ends, labels of the survey) float32 logits of the token after each of ``ends``."""
        model = self.model.model
        places = torch.as_tensor(ends, device=embeds.device)
        with tree_attention(model), _output_layer(model, plan.label_head):
            logits = model(
                inputs_embeds=embeds,
                position_ids=self._positions(row),
                use_cache=False,
                row=row,
                **({"logits_to_keep": places} if _can_skip_logits(model) else {}),
            ).logits
        if logits.shape[1] != len(places):
            logits = logits[:, places]
        return (logits if plan.label_head else logits[..., plan.label_ids]).float()

    def _embed(self, tokens: Any) -> Tensor:
        """(tokens, D): the output of the embedding module."""
        ids = torch.tensor(tokens, dtype=torch.long, device=self.model.device)
        return self.model.model.get_input_embeddings()(ids)

    def _positions(self, row: PackedRow | Continuations) -> Tensor:
        positions = torch.as_tensor(row.positions, device=self.model.device)
        return positions if positions.ndim == 2 else positions[None]

    @torch.inference_mode()
    def _refuse_other_attention(self, plan: _Plan) -> None:
        """Compare the longest question with the model's own way of attending.

        A model with state between tokens, with biases by place or with windows of another kind than
        transformers tells us would else answer something, and nobody would notice.
        """
        item, question = max(enumerate(plan.questions), key=lambda entry: len(entry[1].context))
        ids = torch.tensor([question.context], device=self.model.device)
        plain = self.model.model(input_ids=ids, use_cache=False).logits[0, -1]
        expected = plain[list(question.labels)].float().softmax(-1).cpu().numpy()
        dtype = str(self.model.dtype).removeprefix("torch.")
        layers = self.model.model.config.get_text_config().num_hidden_layers
        try:
            nothing = torch.zeros(1, 0, self.model.embedding_width)
            answer = self._answer_batch(nothing, plan)[0, item, : len(expected)]
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            reason = str(error)
        else:
            difference = float(np.abs(answer - expected).max())
            alike = difference <= PARITY[dtype] or not np.isfinite(expected).all()
            if alike and len(plan.row(0).layers) == layers:
                return
            reason = (
                f"{len(plan.row(0).layers)} of its {layers} layers could be reached, and a label's "
                f"probability differs by {difference:.2g}"
            )
        raise ModelError(
            f"{self.model.name!r} ({self.model.model.config.model_type}) does not attend as a plain "
            f"causal transformer does ({reason}), so its questions cannot be asked together. "
            "Choose a model of another architecture, such as Llama, Qwen, Mistral, Gemma or Phi."
        )


def bytes_per_token(model: LanguageModel, beside: int = 0) -> int:
    """What a pass needs for each of its tokens at most: 1.2 to 3 times what was measured.

    A layer holds six rows of its width at a time and three inside its MLP. With the prompt last it
    holds the scores of each head as well, for the ``beside`` tokens that each token sees.
    """
    config = model.model.config.get_text_config()
    heads, hidden = config.num_attention_heads, config.hidden_size
    width = max(hidden, heads * (getattr(config, "head_dim", None) or 0))
    # Some models give a width for each layer.
    inner = int(np.max(getattr(config, "intermediate_size", None) or 4 * hidden))
    return 2 * model.dtype.itemsize * (6 * width + 3 * inner) + 24 * heads * beside


@dataclass
class _Plan:
    """A survey made ready for one model; what was needed once is kept."""

    questions: list[Question]
    tree: Node
    tokens: tuple[int, ...]
    shape: tuple[int, int]
    label_ids: Tensor
    label_head: torch.nn.Linear | None
    columns: Tensor
    offered: Tensor
    rows: dict[int, PackedRow] = field(default_factory=dict)
    continuations: Continuations | None = None

    def row(self, width: int) -> PackedRow:
        """The questions in a row behind a soft prompt of ``width`` tokens."""
        if width not in self.rows:
            self.rows[width] = pack(self.tree, width)
        return self.rows[width]

    @classmethod
    def of(cls, survey: Survey, model: LanguageModel) -> _Plan:
        questions = tokenize_survey(survey, model.tokenizer)
        label_ids = sorted({label for question in questions for label in question.labels})
        column = {label: n for n, label in enumerate(label_ids)}
        shape = (len(questions), survey.width)
        columns = torch.zeros(shape, dtype=torch.long)
        offered = torch.zeros(shape, dtype=torch.bool)
        for row, question in enumerate(questions):
            columns[row, : len(question.labels)] = torch.tensor(
                [column[i] for i in question.labels]
            )
            offered[row, : len(question.labels)] = True
        ids = torch.tensor(label_ids, device=model.device)
        tree = prefix_tree([question.context for question in questions])
        return cls(
            questions,
            tree,
            tuple(flat_tokens(tree)),
            shape,
            ids,
            _label_head(model, ids),
            columns.to(model.device),
            offered.to(model.device),
        )


class _LabelHead(torch.nn.Linear):
    """Rows of an output layer, which may lie on another GPU than the last layer does."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.to(self.weight.device))


def _label_head(model: LanguageModel, label_ids: Tensor) -> torch.nn.Linear | None:
    """The rows of the output layer that belong to the answer labels, as a layer of its own."""
    head = model.model.get_output_embeddings()
    if head is None:
        raise ModelError(f"{model.name!r} has no output layer over words; is it a causal model?")
    # Quantised or offloaded weights: rows cannot be picked.
    if type(head) is not torch.nn.Linear or head.weight.is_meta:
        return None
    ids = label_ids.to(head.weight.device)
    rows = _LabelHead(head.in_features, len(ids), bias=head.bias is not None, device="meta")
    rows.weight = torch.nn.Parameter(head.weight[ids], requires_grad=False)
    if head.bias is not None:
        rows.bias = torch.nn.Parameter(head.bias[ids], requires_grad=False)
    return rows


@contextmanager
def _output_layer(model: Any, layer: torch.nn.Module | None) -> Iterator[None]:
    """Let the model end in ``layer``; what it does with logits afterwards (a soft cap) still applies."""
    whole = model.get_output_embeddings()
    try:
        if layer is not None:
            model.set_output_embeddings(layer)
        yield
    finally:
        model.set_output_embeddings(whole)


def _can_skip_logits(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    signs = ("out of memory", "can't allocate memory", "not enough memory")
    return any(sign in str(error).casefold() for sign in signs)
