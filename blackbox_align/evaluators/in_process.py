"""Asking a transformers model in this process.

A candidate costs the tokens that are its own: the soft prompt and the opening that all questions
share are run once per candidate, then each opening that several questions share, then the
questions, every span on the keys and values of the one before it. Of the output layer only the
rows of the answer labels are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from ..errors import ModelError
from ..surveys import Survey
from .language_model import LanguageModel
from .prefix_tree import Node, prefix_tree
from .questions import Question, tokenize_survey

_CANDIDATES_PER_BATCH = 64
_PLANS = 4
# Spans that run together are padded to the longest of them, at most this share of their tokens.
_PADDING = 0.25


class InProcessEvaluator:
    """Answers with a model in this process; see :class:`.base.Evaluator`.

    The soft prompt stands before everything, the BOS token included, exactly where PEFT puts it.
    ``batch_size`` is the number of candidates that run together; it is halved, for good, whenever
    memory runs out. Answers depend on it by float noise only.
    """

    def __init__(self, model: LanguageModel, batch_size: int = _CANDIDATES_PER_BATCH) -> None:
        self.model = model
        self.batch_size = batch_size
        self._plans: dict[str, _Plan] = {}

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        plan = self._plan(survey)
        prompts = torch.as_tensor(np.asarray(soft_prompts, dtype=np.float32))
        answers: list[np.ndarray] = []
        done = 0
        while done < len(prompts):
            batch = prompts[done : done + self.batch_size]
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

    def _plan(self, survey: Survey) -> _Plan:
        if survey.sha256 not in self._plans:
            if len(self._plans) == _PLANS:  # the survey of a search is asked first, and stays
                self._plans.popitem()
            self._plans[survey.sha256] = _Plan.of(survey, self.model)
        return self._plans[survey.sha256]

    def _answer_batch(self, soft_prompts: torch.Tensor, plan: _Plan) -> np.ndarray:
        logits = self._label_logits(soft_prompts, plan)
        picked = logits.gather(-1, plan.columns.expand(len(logits), -1, -1))
        picked = picked.masked_fill(~plan.offered, -torch.inf)
        probabilities = picked.softmax(-1)
        # One item without a finite number makes the whole candidate's scores meaningless.
        broken = ~probabilities.isfinite().all(-1).all(-1)
        probabilities[broken] = torch.nan
        return probabilities.cpu().numpy()

    @torch.inference_mode()
    def _label_logits(self, soft_prompts: torch.Tensor, plan: _Plan) -> torch.Tensor:
        """(candidates, items, labels of the survey) float32: the logits of the next token."""
        model, candidates = self.model.model, len(soft_prompts)
        by_item: list[torch.Tensor] = [torch.empty(0)] * len(plan.questions)
        with _output_layer(model, plan.label_head):
            for nodes, logits in self._run_root(soft_prompts, plan):
                for row, node in enumerate(nodes):
                    last = logits[row * candidates : (row + 1) * candidates, len(node.tokens) - 1]
                    for item in node.contexts:
                        by_item[item] = last.float()
        answered = torch.stack(by_item, dim=1)
        return answered if plan.label_head else answered[..., plan.label_ids]

    def _run_root(self, soft_prompts: torch.Tensor, plan: _Plan) -> Iterator[_Run]:
        """The soft prompts with the opening of all questions, then everything that follows on it."""
        model, root = self.model.model, plan.root
        prompts = soft_prompts.to(self.model.device, self.model.dtype)
        candidates, tokens = prompts.shape[0], prompts.shape[1] + len(root.tokens)
        if tokens:
            ids = torch.tensor(root.tokens, dtype=torch.long, device=self.model.device)
            opening = model.get_input_embeddings()(ids).expand(candidates, -1, -1)
            cache = DynamicCache()
            embeds = torch.cat([prompts, opening], dim=1)
            out = model(inputs_embeds=embeds, past_key_values=cache, use_cache=True)
            yield (root,), out.logits[:, prompts.shape[1] :]
            layers = [(layer.keys, layer.values) for layer in cache.layers]
        else:  # un-prompted, and the questions share nothing, not even a BOS token
            layers = []
        longest = prompts.shape[1] + max(len(question.context) for question in plan.questions)
        past = _Past(
            layers,
            torch.ones((1, tokens), dtype=torch.long, device=self.model.device),
            torch.tensor([tokens], device=self.model.device),
            candidates,
            # Inside a sliding window, distance is counted in slots: padding would stretch it.
            padding=0.0 if longest > _sliding_window(model) else _PADDING,
        )
        yield from self._run_children([(0, child) for child in root.children], past)

    def _run_children(self, children: list[tuple[int, Node]], past: _Past) -> Iterator[_Run]:
        """Run spans that follow on ``past``, each with its parent's row; then their own children."""
        device = self.model.device
        for bucket in _buckets(children, past.padding):
            nodes = tuple(node for _, node in bucket)
            parents = torch.tensor([parent for parent, _ in bucket], device=device)
            lengths = torch.tensor([len(node.tokens) for node in nodes], device=device)
            width = int(lengths.max())
            padded = [node.tokens + (0,) * (width - len(node.tokens)) for node in nodes]
            steps = torch.arange(width, device=device)
            seen = torch.cat([past.seen[parents], (steps < lengths[:, None]).long()], dim=1)
            positions = past.positions[parents]

            def per_candidate(rows: torch.Tensor) -> torch.Tensor:
                return rows.repeat_interleave(past.candidates, dim=0)

            cache = DynamicCache(past.select(parents)) if past.layers else DynamicCache()
            out = self.model.model(
                input_ids=per_candidate(torch.tensor(padded, dtype=torch.long, device=device)),
                attention_mask=per_candidate(seen),
                position_ids=per_candidate(positions[:, None] + steps),
                past_key_values=cache,
                use_cache=True,
            )
            yield nodes, out.logits
            grandchildren = [
                (row, child) for row, node in enumerate(nodes) for child in node.children
            ]
            if grandchildren:
                layers = [(layer.keys, layer.values) for layer in cache.layers]
                here = replace(past, layers=layers, seen=seen, positions=positions + lengths)
                yield from self._run_children(grandchildren, here)


# Spans that ran together, and their (spans x candidates, tokens, labels) logits, span by span.
_Run = tuple[tuple[Node, ...], torch.Tensor]


@dataclass(frozen=True)
class _Past:
    """What was computed before a span: one block of ``candidates`` rows per node.

    ``layers`` holds keys and values, ``seen`` (nodes, slots) which slots are tokens and not
    padding, ``positions`` (nodes,) the position of the next token.
    """

    layers: list[tuple[torch.Tensor, torch.Tensor]]
    seen: torch.Tensor
    positions: torch.Tensor
    candidates: int
    padding: float

    def select(self, nodes: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values with the blocks of ``nodes``, in that order."""
        if len(nodes) == 1 == len(self.seen):  # the same block: no copy
            return self.layers
        block = torch.arange(self.candidates, device=nodes.device)
        rows = (nodes[:, None] * self.candidates + block).flatten()
        return [(keys[rows], values[rows]) for keys, values in self.layers]


@dataclass(frozen=True)
class _Plan:
    """A survey made ready for one model."""

    questions: list[Question]
    root: Node
    shape: tuple[int, int]
    label_ids: torch.Tensor
    label_head: torch.nn.Linear | None
    columns: torch.Tensor
    offered: torch.Tensor

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
        return cls(
            questions,
            prefix_tree([question.context for question in questions]),
            shape,
            ids,
            _label_head(model, ids),
            columns.to(model.device),
            offered.to(model.device),
        )


def _label_head(model: LanguageModel, label_ids: torch.Tensor) -> torch.nn.Linear | None:
    """The rows of the output layer that belong to the answer labels, as a layer of its own."""
    head = model.model.get_output_embeddings()
    if head is None:
        raise ModelError(f"{model.name!r} has no output layer over words; is it a causal model?")
    if type(head) is not torch.nn.Linear:  # quantised, perhaps: its rows cannot be picked
        return None
    ids = label_ids.to(head.weight.device)
    rows = torch.nn.Linear(head.in_features, len(ids), bias=head.bias is not None, device="meta")
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


def _buckets(
    children: Sequence[tuple[int, Node]], padding: float
) -> Iterator[list[tuple[int, Node]]]:
    """Spans of about the same length together; at most ``padding`` of a bucket's tokens is waste."""
    bucket: list[tuple[int, Node]] = []
    tokens = 0
    for entry in sorted(children, key=lambda child: -len(child[1].tokens)):
        length = len(entry[1].tokens)
        slots = (len(bucket) + 1) * len(bucket[0][1].tokens) if bucket else length
        if slots - (tokens + length) > padding * slots:
            yield bucket
            bucket, tokens = [], 0
        bucket.append(entry)
        tokens += length
    if bucket:
        yield bucket


def _sliding_window(model: Any) -> float:
    config = model.config.get_text_config()
    if not getattr(config, "use_sliding_window", True):
        return float("inf")
    return getattr(config, "sliding_window", None) or float("inf")


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    signs = ("out of memory", "can't allocate memory", "not enough memory")
    return any(sign in str(error).casefold() for sign in signs)
