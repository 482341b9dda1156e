"""A whole survey in one row: questions branch off from shared openings, as a tree of attention.

A question's tokens see the trunk (persona, beginning of sequence), the opening of their scale and
themselves, at the positions they would have alone: the answers are those of separate questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Branches:
    """Everything of a survey that follows the trunk, in one line of S tokens.

    ``ids``, ``depth`` (S,): tokens and their distance from the trunk; ``sees`` (S, S) bool;
    ``ends`` (questions,): where the answers are read.
    """

    ids: Tensor
    depth: Tensor
    sees: Tensor
    ends: Tensor


def branches(tokenizer: Tokenizer, questions: Sequence[str]) -> Branches:
    """The branches of questions, which end in ``Answer:`` and have no preamble."""
    ids: list[int] = []
    depth: list[int] = []
    parents: list[list[int]] = []  # for every token, all tokens it sees
    openings: dict[str, tuple[str, list[int]]] = {}
    ends = []
    for text in questions:
        cut = text.rindex("\nQuestion:") + len("\nQuestion:")
        opening, tail = text[:cut], text[cut:]
        if opening not in openings:
            place: list[int] = []
            for token in tokenizer.encode(opening, add_special_tokens=False).ids:
                place.append(len(ids))
                ids.append(token)
                depth.append(len(place) - 1)
                parents.append(list(place))
            openings[opening] = (opening, place)
        path = list(openings[opening][1])
        for token in tokenizer.encode(tail, add_special_tokens=False).ids:
            path.append(len(ids))
            ids.append(token)
            depth.append(len(path) - 1)
            parents.append(list(path))
        whole = tokenizer.encode(text, add_special_tokens=False).ids
        if [ids[p] for p in path] != whole:
            raise ValueError(f"{text!r} has other tokens in two pieces than whole.")
        ends.append(len(ids) - 1)
    sees = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for row, seen in enumerate(parents):
        sees[row, seen] = True
    return Branches(torch.tensor(ids), torch.tensor(depth), sees, torch.tensor(ends))


def answer_logits(
    model: PreTrainedModel, trunk: Tensor, lengths: Tensor, leaves: Branches
) -> tuple[Tensor, Tensor]:
    """Next-token logits behind every question, and what the trunks' ends hold before the last layer.

    Parameters
    ----------
    trunk : (rows, L, hidden) embeddings, padded on the right
    lengths : (rows,) tokens of each trunk

    Returns
    -------
    (rows, questions, vocabulary), and (rows, hidden)
    """
    rows, longest, hidden = trunk.shape
    size = len(leaves.ids)
    embed = model.get_input_embeddings()
    suffix = embed(leaves.ids).expand(rows, size, hidden)
    real = torch.arange(longest) < lengths[:, None]  # (rows, L)
    mask = torch.zeros(rows, 1, longest + size, longest + size, dtype=torch.bool)
    mask[:, 0, :longest, :longest] = torch.ones(longest, longest).tril().bool()
    mask[:, 0, longest:, :longest] = real[:, None, :]
    mask[:, 0, longest:, longest:] = leaves.sees
    positions = torch.cat(
        [torch.arange(longest).expand(rows, longest), lengths[:, None] + leaves.depth], dim=1
    )
    outputs = model.model(
        inputs_embeds=torch.cat([trunk, suffix], dim=1),
        attention_mask=mask,
        position_ids=positions,
        use_cache=False,
        output_hidden_states=True,
    )
    ends = outputs.hidden_states[-2][torch.arange(rows), lengths - 1]
    return model.lm_head(outputs.last_hidden_state[:, longest + leaves.ends]), ends
