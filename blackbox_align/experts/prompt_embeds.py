"""Experts as prompt embeddings: base64 parts that vLLM takes inside of a message or a completion.

vLLM reads them with ``--enable-prompt-embeds``: a tensor (tokens, D) as ``torch.save`` writes it, in base64.
A chat message takes one as a part, which is where a soft prompt of the placement ``message`` stands: in
front of the first user's words. Before everything and right before the answer there is no part of a message:
such a one goes into a completion, whose whole prompt the client embeds.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.adapter import SoftPrompt
from ..errors import ExpertError, SpecificationError
from ..files.atomic import plain_errors, write_json
from .expert import Expert


def export_prompt_embeds(experts: Sequence[Expert], folder: Path | str) -> dict[str, Path]:
    """Write ``NAME.json`` for every expert to a new ``folder``; no model is needed.

    Each holds the expert, its population, model, revision and placement, the ``shape`` and the ``part``
    ``{"type": "prompt_embeds", "data": base64}`` in float32.

    Raises
    ------
    ExpertError
        An expert is no soft prompt alone.
    SpecificationError
        The folder is there already.
    """
    path = Path(folder)
    if path.exists():
        raise SpecificationError(f"{path} is there already; name a new folder.")
    if not experts:
        raise ExpertError("There is no expert to export.")
    prompts = {expert.name: vectors_alone(expert) for expert in experts}
    found: dict[str, Path] = {}
    with plain_errors(path):
        path.mkdir(parents=True)
        for expert in experts:
            prompt = prompts[expert.name]
            found[expert.name] = path / f"{expert.name}.json"
            about: dict[str, Any] = {
                "expert": expert.name,
                "population": expert.country,
                "model": expert.card.model,
                "revision": expert.card.revision,
                "placement": prompt.placement,
                "shape": list(prompt.vectors.shape),
                "digest": expert.adapter().digest(),
                "part": {"type": "prompt_embeds", "data": encoded(prompt.vectors)},
            }
            write_json(found[expert.name], about)
    return found


def vectors_alone(expert: Expert) -> SoftPrompt:
    """The soft prompt of an expert that is nothing else; :class:`ExpertError` for any other."""
    adapter = expert.adapter()
    prompt = adapter.prompt
    if prompt is None or adapter.text or adapter.loras or adapter.gate:
        raise ExpertError(
            f"{expert.path} is more or something else than a soft prompt, and only vectors can be "
            "exported in this form; leave it out."
        )
    return prompt


def encoded(vectors: np.ndarray) -> str:
    """(tokens, D) as vLLM reads a tensor: ``torch.save`` in base64."""
    import torch

    buffer = io.BytesIO()
    torch.save(torch.from_numpy(np.array(vectors, np.float32)), buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
