"""What a strong engineer writes with transformers alone, to be measured against.

The prompt and the opening that all questions share are read once a candidate into a cache, which is
expanded over the questions; what follows is padded on the right, in groups of like lengths; of the output
layer only the rows of the labels are computed, where a question ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from blackbox_align.engines.checkpoint import LanguageModel
from blackbox_align.engines.local.questions import Tokenized, common_prefix

GROUPS = 3
TOKENS = 16_384  # of a pass


class SharedPrefix:
    """Answers (candidates, questions, width) to prompts (candidates, tokens, D)."""

    def __init__(self, model: LanguageModel, questions: Sequence[Tokenized], width: int) -> None:
        self.model, self.questions, self.width = model, questions, width
        self.labels = sorted({label for question in questions for label in question.labels})
        self.rows = model.model.get_output_embeddings().weight[self.labels]
        contexts = [question.context for question in questions]
        shared = min(len(common_prefix(contexts)), min(map(len, contexts)) - 1)
        self.prefix = contexts[0][:shared]
        self.tails = [context[shared:] for context in contexts]
        order = sorted(range(len(contexts)), key=lambda number: len(self.tails[number]))
        self.groups = [part.tolist() for part in np.array_split(order, min(GROUPS, len(order)))]

    def tokens(self, width: int) -> int:
        """What is computed for a candidate, padding included."""
        longest = [max(len(self.tails[n]) for n in group) for group in self.groups]
        padded = sum(len(group) * most for group, most in zip(self.groups, longest, strict=True))
        return width + len(self.prefix) + padded

    @torch.inference_mode()
    def __call__(self, prompts: np.ndarray) -> np.ndarray:
        given = torch.as_tensor(prompts).to(self.model.device, self.model.dtype)
        at_once = max(1, TOKENS // self.tokens(given.shape[1]))
        return np.concatenate([self._pass(part).cpu().numpy() for part in given.split(at_once)])

    def _pass(self, prompts: Tensor) -> Tensor:
        embed, base = self.model.model.get_input_embeddings(), self.model.model.base_model
        device, count = prompts.device, len(prompts)
        opening = embed(torch.tensor(self.prefix, dtype=torch.long, device=device))
        first = torch.cat([prompts, opening.expand(count, -1, -1)], dim=1)
        cache = base(inputs_embeds=first, use_cache=True).past_key_values
        answers = torch.zeros(count, len(self.questions), self.width, device=device)
        for group in self.groups:
            lengths = torch.tensor([len(self.tails[n]) for n in group], device=device)
            ids = torch.zeros(len(group), int(lengths.max()), dtype=torch.long, device=device)
            for row, number in zip(ids, group, strict=True):
                row[: len(self.tails[number])] = torch.tensor(self.tails[number])
            expanded = DynamicCache()
            for layer, known in enumerate(cache.layers):
                parts = (known.keys, known.values)
                expanded.update(*(part.repeat_interleave(len(group), 0) for part in parts), layer)
            places = torch.arange(first.shape[1], first.shape[1] + ids.shape[1], device=device)
            states = base(
                inputs_embeds=embed(ids).repeat(count, 1, 1),
                past_key_values=expanded,
                position_ids=places[None].expand(count * len(group), -1),
                use_cache=True,
            ).last_hidden_state.view(count, *ids.shape, -1)
            ends = states[:, torch.arange(len(group), device=device), lengths - 1]
            logits = (ends @ self.rows.T).float()
            for column, number in enumerate(group):
                own = [self.labels.index(label) for label in self.questions[number].labels]
                answers[:, number, : len(own)] = logits[:, column, own].softmax(-1)
        return answers
