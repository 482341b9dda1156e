"""Whether a model attends so that its questions may share a pass, told before a pass is believed.

What is known from the configuration is believed first. The rest is compared: several questions, with
random soft prompts where they will stand, against the plain way. How far two right ways may differ is
measured too, by rounding the same input anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..rounding import STEP
from .passes import Passes, Scores
from .plan import Plan
from .tree_attention import OtherAttentionError

_QUESTIONS, _PROMPTS, _TOKENS = 4, 4, 3
_PLAIN_LAYERS = ("full_attention", "sliding_attention", "chunked_attention")
# Root mean squares over the labels of a question: the least that is noise in any precision, and how many
# times the noise that was measured another way of adding up may make.
_LEAST, _TIMES = 1e-5, 4.0


@dataclass(frozen=True)
class Limits:
    """What a configuration says: ``alone`` why questions cannot share a pass, up to how many tokens
    (``shared``) they can, and how many ``positions`` the model has."""

    alone: str | None = None
    shared: int | None = None
    positions: int | None = None


def limits(model: Any) -> Limits:
    """What is known of a model before it is asked."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - set(_PLAIN_LAYERS)
    alone = None
    if getattr(model, "_is_stateful", False):
        alone = "it carries a state from token to token"
    elif kinds:
        alone = f"it has layers of another kind ({', '.join(sorted(kinds))})"
    positions = getattr(config, "max_position_embeddings", None)
    shared = getattr(config, "attention_chunk_size", None)
    for rope in _ropes(config):
        # Past the length of its training, the frequencies of all tokens follow from the longest text.
        original = rope.get("original_max_position_embeddings") or positions
        if rope.get("rope_type") == "longrope" and original:
            shared = min(original, shared or original)
        if rope.get("rope_type") == "dynamic" and original:
            positions = min(original, positions or original)
    return Limits(alone, shared, positions)


def _ropes(config: Any) -> list[dict[str, Any]]:
    ropes = getattr(config, "rope_parameters", None) or {}
    return [rope for rope in (ropes, *ropes.values()) if isinstance(rope, dict)]


def other_embeddings(passes: Passes, plan: Plan) -> str | None:
    """Why a soft prompt cannot be put in: the model's answer to embedded words is another one."""
    part = plan.part(_spread(plan))
    ids = part.label_ids[part.columns]
    for number, question in enumerate(part.questions):
        text = passes.embed(question.context)[None]
        expected = _soft(passes.plainly(part, text[:, :0], "first", 1), part)[0, number]
        try:
            logits = passes.plain(inputs_embeds=text, use_cache=False).logits[0, -1].float()
        except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError) as error:
            return f"it takes no embedded words ({_line(error)})"
        given = logits[ids[number].to(logits.device)].to(expected.device)
        given = given.masked_fill(~part.offered[number], -torch.inf).softmax(-1)
        # The sums are the same ones, so there is hardly any noise.
        most = _LEAST if passes.precision == "float32" else 1e-3
        if not bool((given - expected).abs().max() <= most) and bool(expected.isfinite().all()):
            return "it reads the numbers of its words beside their embeddings"
    return None


def differs(
    passes: Passes, plan: Plan, way: Callable[[Plan, Tensor], Scores], placement: str, layers: int
) -> str | None:
    """Why ``way`` cannot be believed with a prompt at ``placement``; None where it can."""
    part = plan.part(_spread(plan))
    prompts = _prompts(passes)
    try:
        given = _soft(way(part, prompts), part)
    except OtherAttentionError as error:
        return f"it {error}"
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, IndexError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return f"its attention cannot be reached ({_line(error)})"
    reached = _reached(part, placement)
    if not reached:
        return "its attention does not go through the interface of transformers"
    if reached != layers:
        return f"{reached} of its {layers} layers could be reached"
    rounded = _rounded(prompts, passes.precision)
    # All prompts behind one question at once, which have one length: nothing is padded.
    plain = [passes.plainly(part, each, placement, len(each)) for each in (prompts, rounded)]
    expected, again = (_soft(scores, part) for scores in plain)
    if not bool(expected.isfinite().all()):
        return None  # nothing can be said, and the answers say it themselves
    off, noise = (_typical(one - expected) for one in (given, again))
    noise = noise.clamp(
        min=float(noise.median())
    )  # of a few prompts a question's own may seem small
    wrong = ~(off <= (_TIMES * noise).clamp(min=_LEAST))  # what is NaN is wrong as well
    if bool(wrong.any()):
        gap = float((given - expected)[:, wrong].abs().max())
        return f"a label's probability differs by {gap:.2g}"
    return None


def _typical(difference: Tensor) -> Tensor:
    """(questions,) the lower median over prompts of the root mean square over labels.

    Where a mixture of experts rounds to another expert, a prompt may be off in any right way; a way
    that is wrong for a question is wrong under all of them.
    """
    return difference.square().mean(-1).sqrt().sort(dim=0).values[(len(difference) - 1) // 2]


def _reached(part: Plan, placement: str) -> int:
    if placement == "last":
        return len(part.continuations.layers) if part.continuations else 0
    row = part.tree(placement == "message").rows
    return len(next(iter(row.values())).layers)


def _spread(plan: Plan) -> list[int]:
    """Questions of several lengths, the shortest and the longest among them, some side by side."""
    order = sorted(range(len(plan.questions)), key=lambda n: len(plan.questions[n].context))
    step = max(1, (len(order) - 1) / (_QUESTIONS - 1))
    return sorted({order[min(round(n * step), len(order) - 1)] for n in range(_QUESTIONS)})


def _prompts(passes: Passes) -> Tensor:
    """(prompts, tokens, D) random soft prompts of the size of words; always the same ones."""
    words = passes.plain.get_input_embeddings().weight.shape[0]
    some = passes.embed(range(min(words, 512))).float()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(_PROMPTS, _TOKENS, some.shape[1], generator=generator)
    return (some.std() * noise.to(some.device)).to(passes.dtype)


def _rounded(prompts: Tensor, precision: str) -> Tensor:
    """The same prompts, each entry moved to a neighbour that its precision can tell from it."""
    generator = torch.Generator().manual_seed(1)
    signs = torch.randint(0, 2, prompts.shape, generator=generator).to(prompts.device) * 2 - 1
    step = STEP[precision]
    return (prompts.float() * (1 + step * signs)).to(prompts.dtype)


def _soft(scores: Scores, plan: Plan) -> Tensor:
    return scores.labels.masked_fill(~plan.offered, -torch.inf).softmax(-1)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
