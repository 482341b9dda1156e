"""Experts as extra vocabulary: one checkpoint from which any serving engine answers for all of them.

No serving engine loads a soft prompt beside others, but all of them take token ids. So every virtual token
becomes a special token of the model: its vector a further row of the embedding matrix, and a chat template
writes an expert's tokens where its placement says when it is rendered with ``expert=NAME``. The output layer
is untied, and its new rows are those of the token that the model writes least, so that a virtual token is as
unlikely as that one; ``suppress_tokens`` in the generation configuration rules it out altogether.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..adapters.adapter import SoftPrompt
from ..engines.checkpoint import Checkpoint, LanguageModel
from ..engines.local.chat import Reader
from ..engines.local.decoding import begin_text
from ..errors import ExpertError, SpecificationError
from ..files.atomic import plain_errors, write_json
from .expert import Expert
from .prompt_embeds import vectors_alone

ALLOWED = 1e-5  # of a logit, or of the largest one where that is above 1
LIST = "experts.json"
_PROBES = (
    "Is it right to keep what one finds?",
    "How do you greet an elder?\nSay it in one word.",
    "Why?",
)


@dataclass(frozen=True)
class Vocabulary:
    """An exported checkpoint.

    ``tokens`` are the ids of every expert's virtual tokens; ``difference`` is the largest between its
    logits and those of the model under the expert's vectors, and ``share`` the largest probability that
    all virtual tokens had together as the next one, both over probes.
    """

    path: Path
    tokens: Mapping[str, tuple[int, ...]]
    difference: float
    share: float


@torch.inference_mode()
def export_vocabulary(
    checkpoint: Checkpoint, experts: Sequence[Expert], folder: Path | str
) -> Vocabulary:
    """Write the model of ``checkpoint`` with all ``experts`` in its vocabulary to a new ``folder``.

    Raises
    ------
    ExpertError
        An expert is no soft prompt, or is one of another model; or what was written gives other logits,
        and is deleted again.
    SpecificationError
        The folder is there already.
    """
    path = Path(folder)
    if path.exists():
        raise SpecificationError(f"{path} is there already; name a new folder.")
    if not experts:
        raise ExpertError("There is no expert to export.")
    source = checkpoint.model
    prompts = {expert.name: _prompt(expert, source) for expert in experts}
    names = {
        name: [f"<|expert:{name}:{n}|>" for n in range(1, len(prompt) + 1)]
        for name, prompt in prompts.items()
    }
    # The module is this function's own: a checkpoint loads one for whoever asks.
    tokenizer = deepcopy(source.tokenizer)
    first = len(tokenizer)
    tokenizer.add_tokens(_special(names), special_tokens=True)
    tokenizer.chat_template = template_of(source.tokenizer, prompts, names)
    tokens = {name: tuple(tokenizer.convert_tokens_to_ids(own)) for name, own in names.items()}
    if sorted(i for own in tokens.values() for i in own) != list(range(first, len(tokenizer))):
        raise ExpertError(f"The tokenizer of {source.name!r} takes no new tokens such as {names}.")
    expected = {name: _logits_of(source, prompt) for name, prompt in prompts.items()}
    unused = _least_written(torch.cat(list(expected.values())), first)
    _extend(source, first, np.concatenate([p.vectors for p in prompts.values()]), unused)
    draft = path.with_name(f".{path.name}.new")
    with plain_errors(path):
        shutil.rmtree(draft, ignore_errors=True)
        try:
            _save(source.model, tokenizer, draft, tokens)
            listed = [
                {"expert": expert.name, "population": expert.country, "tokens": tokens[expert.name],
                 "placement": expert.placement, "digest": expert.adapter().digest()}
                for expert in experts
            ]  # fmt: skip
            write_json(draft / LIST, {"model": source.name, "revision": source.revision,
                                      "unused": unused, "experts": listed})  # fmt: skip
            difference, share = _compare(draft, source, expected, first)
            draft.rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Vocabulary(path, tokens, difference, share)


def _prompt(expert: Expert, source: LanguageModel) -> SoftPrompt:
    expert.refuse_other_model(source.info)
    prompt = vectors_alone(expert)
    if prompt.vectors.shape[1] != source.embedding_width:
        raise ExpertError(
            f"{expert.path} is {prompt.vectors.shape[1]} wide and {source.name!r} {source.embedding_width}."
        )
    return prompt


def _special(names: Mapping[str, Sequence[str]]) -> list[Any]:
    from transformers import AddedToken

    return [AddedToken(n, special=True, normalized=False) for own in names.values() for n in own]


# -- the template ----------------------------------------------------------------------------------


def template_of(
    tokenizer: Any, prompts: Mapping[str, SoftPrompt], names: Mapping[str, Sequence[str]]
) -> str:
    """The model's chat template, which writes the tokens of ``expert`` where its placement says.

    A model without one gets a template that writes what is read without one: the messages, a line each.
    """
    places = {
        place: {n: "".join(names[n]) for n, p in prompts.items() if p.placement == place}
        for place in ("first", "message", "last")
    }
    tables = "".join(
        f"{{%- set {place}_tokens = {json.dumps(table, ensure_ascii=False)}.get(expert, '') -%}}"
        for place, table in places.items()
    )
    known = json.dumps(sorted(prompts), ensure_ascii=False)
    refusal = (
        "{%- if expert is not defined -%}{%- set expert = '' -%}"
        f"{{%- elif expert and expert not in {known} -%}}"
        "{{- raise_exception('there is no expert ' ~ expert) -}}{%- endif -%}"
    )
    own = getattr(tokenizer, "chat_template", None) or _lines_of_messages(tokenizer)
    message = (
        "{%- if message_tokens -%}{%- set here = namespace(messages=[], done=false) -%}"
        "{%- for one in messages -%}{%- if one['role'] == 'user' and not here.done -%}"
        "{%- set here.done = true -%}"
        "{%- set one = dict(one, content=message_tokens ~ one['content']) -%}{%- endif -%}"
        "{%- set here.messages = here.messages + [one] -%}{%- endfor -%}"
        "{%- set messages = here.messages -%}{%- endif -%}"
    )
    last = "{%- if add_generation_prompt -%}{{- last_tokens -}}{%- endif -%}"
    # A line end right behind a tag would be eaten, and one at the very end as well: the tags that
    # follow on the model's own template do not strip what stands before them.
    last = last.replace("{%- if", "{% if", 1)
    return f"{refusal}{tables}{message}{{{{- first_tokens }}}}{own}{last}"


def _lines_of_messages(tokenizer: Any) -> str:
    with_special, bare = (
        tokenizer("a").input_ids,
        tokenizer("a", add_special_tokens=False).input_ids,
    )
    opening = with_special[: next(
        (n for n in range(len(with_special)) if with_special[n : n + len(bare)] == bare), 0
    )]  # fmt: skip
    words = json.dumps("".join(tokenizer.convert_ids_to_tokens(opening)), ensure_ascii=False)
    return (
        f"{{{{ {words} }}}}{{% for one in messages %}}"
        "{{ one['content'] }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
    )


# -- the model -------------------------------------------------------------------------------------


def _logits_of(source: LanguageModel, prompt: SoftPrompt) -> Tensor:
    """(probes, words) float32 logits of the token behind each probe, under the vectors themselves."""
    from ..adapters.adapter import Adapter

    reader, rows = Reader(source.tokenizer), []
    embed = source.model.get_input_embeddings()
    vectors = torch.as_tensor(prompt.vectors).to(source.device, source.dtype)
    for probe in _PROBES:
        begun = begin_text(reader, [{"role": "user", "content": probe}], Adapter(prompt=prompt))
        text = embed(torch.tensor(begun.tokens, device=source.device))
        row = torch.cat([text[: begun.at], vectors, text[begun.at :]])[None]
        rows.append(source.model(inputs_embeds=row).logits[0, -1].float().cpu())
    return torch.stack(rows)


def _least_written(logits: Tensor, words: int) -> int:
    """The token whose largest probability over all probes is the smallest."""
    shares = logits.softmax(-1)[:, :words]
    return int(shares.max(0).values.argmin())


def _extend(source: LanguageModel, first: int, vectors: np.ndarray, unused: int) -> None:
    """Rows ``first`` and on of the embedding and of an output layer of its own."""
    model = source.model
    embedding, output = model.get_input_embeddings(), model.get_output_embeddings()
    rows = max(embedding.weight.shape[0], first + len(vectors))
    old_output, bias = output.weight.detach().clone(), getattr(output, "bias", None)
    new = torch.as_tensor(vectors / _scale(embedding)).to(source.device, source.dtype)
    words = _grown(embedding.weight, rows)
    words[first : first + len(vectors)] = new
    spoken = _grown(old_output, rows)
    added = [n for n in range(rows) if first <= n < first + len(vectors) or n >= len(old_output)]
    spoken[added] = old_output[unused]
    embedding.weight = nn.Parameter(words, requires_grad=False)
    embedding.num_embeddings = rows
    untied = nn.Linear(spoken.shape[1], rows, bias=bias is not None, device="meta")
    untied.weight = nn.Parameter(spoken, requires_grad=False)
    if bias is not None:
        longer = _grown(bias[:, None], rows)[:, 0]
        longer[added] = bias[unused]
        untied.bias = nn.Parameter(longer, requires_grad=False)
    model.set_output_embeddings(untied)
    for config in {id(c): c for c in (model.config, model.config.get_text_config())}.values():
        config.vocab_size, config.tie_word_embeddings = rows, False


def _grown(matrix: Tensor, rows: int) -> Tensor:
    grown = matrix.new_zeros(rows, matrix.shape[1])
    grown[: len(matrix)] = matrix
    return grown


def _scale(embedding: Any) -> float:
    """What the embedding module multiplies its rows with."""
    row = embedding.weight[1].float()
    out = embedding(torch.tensor([1], device=embedding.weight.device))[0].float()
    return float(out @ row / (row @ row)) if bool(row.any()) else 1.0


def _save(model: Any, tokenizer: Any, draft: Path, tokens: Mapping[str, Sequence[int]]) -> None:
    suppressed = set(model.generation_config.suppress_tokens or ())
    suppressed.update(i for own in tokens.values() for i in own)
    model.generation_config.suppress_tokens = sorted(suppressed)
    model.save_pretrained(draft)
    tokenizer.save_pretrained(draft)


def _compare(
    draft: Path, source: LanguageModel, expected: Mapping[str, Tensor], first: int
) -> tuple[float, float]:
    """The largest difference of a logit after loading anew, and the largest share of virtual tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(draft)
    model = AutoModelForCausalLM.from_pretrained(draft, dtype=source.dtype).to(source.device).eval()
    most = share = 0.0
    for name, rows in expected.items():
        for probe, row in zip(_PROBES, rows, strict=True):
            given = tokenizer.apply_chat_template(
                [{"role": "user", "content": probe}], expert=name, add_generation_prompt=True,
                enable_thinking=False, thinking=False, tokenize=False,
            )  # fmt: skip
            ids = tokenizer(given, add_special_tokens=False, return_tensors="pt").input_ids
            found = model(input_ids=ids.to(source.device)).logits[0, -1].float().cpu()
            old = row[:first]  # a tokenizer may have more words than the model, or fewer
            largest = max(1.0, float(old.abs().max()))
            most = max(most, float((found[: len(old)] - old).abs().max()) / largest)
            share = max(share, float(found.softmax(-1)[first:].sum()))
    if not most <= ALLOWED:
        raise ExpertError(
            f"After loading anew the logits under an expert differ by {most:.2g}, where at most {ALLOWED:g} "
            "is expected: this model's chat template or tokenizer reads the tokens in another place. "
            "Nothing was written."
        )
    return most, share
