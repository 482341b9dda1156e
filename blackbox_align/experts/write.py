"""Writing an expert: PEFT's own files where PEFT can load them, and ours beside them, all at once."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..adapters.adapter import Adapter
from ..errors import ExpertError
from ..files.atomic import plain_errors, replace_folder, write_sealed_json, write_text
from ..models import packaged_models
from ..results.plain import to_plain
from .card import Card, render
from .expert import FORMAT, GATE_FILE, PROMPT_FILE, RECORD, Expert, Parts, Record, read_expert
from .peft_files import WEIGHTS, write_lora, write_prompt
from .proof import Proof
from .tensors import write_tensors


def write_expert(folder: Path, adapter: Adapter, card: Card, proof: Proof | None) -> Expert:
    """Write an adapter as an expert, if its proof holds; a text needs none.

    Raises
    ------
    ExpertError
        Asked plainly it answers otherwise than in one pass, or there is no proof: the folder is not
        written, an earlier one stays.
    """
    _refuse_unproved(adapter, proof)
    draft = folder.with_name(f".{folder.name}.new")
    base = base_of(card.model)
    with plain_errors(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    parts = _write_parts(draft, adapter, base)
    record = Record(FORMAT, base, parts, card, proof)
    write_sealed_json(draft / RECORD, to_plain(record))
    library = "peft" if parts.peft == (".",) and not parts.text else "blackbox-align"
    use = _use(library, base)
    write_text(draft / "README.md", render(card, _what(adapter), base, use, library))
    replace_folder(draft, folder)
    return read_expert(folder)


def base_of(model: str) -> str:
    """What a base model is called so that ``from_pretrained`` finds it from any folder.

    One that ships with the package, or lies in a folder, is its absolute path here, for no hub has it;
    one of the hub is its name.
    """
    packaged = packaged_models().get(model)
    if packaged is not None:
        return str(packaged.resolve())
    here = Path(model).expanduser()
    return str(here.resolve()) if here.is_dir() else model


def _refuse_unproved(adapter: Adapter, proof: Proof | None) -> None:
    plain = adapter.prompt is None and not adapter.loras
    if proof is None and plain:
        return
    if proof is None:
        raise ExpertError(
            "An expert that is more than a text is written with a proof; see `prove`."
        )
    if not proof.holds:
        raise ExpertError(
            f"Asked plainly it gives other answers than in one pass: a label's probability differs by "
            f"{proof.difference:.2g}, where at most {proof.allowed:g} is expected in {proof.dtype}. "
            "The expert is not written; this architecture needs a look."
        )


def _write_parts(folder: Path, adapter: Adapter, base: str) -> Parts:
    prompt, loras = adapter.prompt, adapter.loras
    peft: list[str] = []
    own = ""
    if prompt is not None and prompt.placement == "first" and not loras:
        write_prompt(folder, prompt.vectors, base)
        peft.append(".")
    elif prompt is not None:
        own = PROMPT_FILE if loras else WEIGHTS
        write_tensors(folder / own, {"prompt_embeddings": prompt.vectors})
    for number, lora in enumerate(loras, start=1):
        alone = len(loras) == 1 and prompt is None
        inner = "." if alone else f"lora-{number}"
        (folder / inner).mkdir(exist_ok=True)
        write_lora(folder / inner, lora, base)
        peft.append(inner)
    gate = adapter.gate
    if gate is not None:
        arrays = {"weights": gate.weights, "rows": gate.rows}
        write_tensors(folder / GATE_FILE, {k: a for k, a in arrays.items() if a is not None})
    for card in folder.rglob("README.md"):  # PEFT's own, which says nothing
        card.unlink()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Parts(
        adapter.digest(),
        {
            p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in files
        },
        adapter.text,
        own,
        prompt.placement if prompt else "first",
        prompt.vectors.shape if prompt else (),
        "float32",
        tuple(peft),
        GATE_FILE if gate else "",
        gate.temperature if gate else 1.0,
    )


def _what(adapter: Adapter) -> str:
    """What an adapter is, in words."""
    places = {
        "first": "before everything",
        "message": "at the beginning of the first message",
        "last": "right before the answer",
    }
    parts = []
    if adapter.text:
        parts.append("A text in front of every question")
    if adapter.prompt is not None:
        tokens = len(adapter.prompt)
        parts.append(
            f"A soft prompt of {tokens} virtual tokens, {places[adapter.prompt.placement]},"
        )
    if adapter.loras:
        parts.append(f"{len(adapter.loras)} LoRA" + (" under a gate" if adapter.gate else ""))
    return " with ".join(parts).rstrip(",") or "The model as it is"


def _use(library: str, base: str) -> str:
    ours = """```python
from blackbox_align.experts import read_expert

adapter = read_expert("this folder").adapter()  # what engine.answer([adapter], sheet) applies
```"""
    if library != "peft":
        return (
            "PEFT cannot load it as it was fitted: it puts every soft prompt before the whole text, and "
            "has no place for several parts at once. A soft prompt alone, wherever it stands, goes into the "
            "model's own vocabulary with `bbalign experts export`, which any program that serves models "
            f"then loads.\n\n{ours}"
        )
    where = ""
    if Path(base).is_dir():
        where = (
            f"\nThe base model is named by where it lay when this was written, `{base}`. Elsewhere, load "
            "it from where it is, and then `PeftModel.from_pretrained(base_model, folder)`.\n"
        )
    return f"""```python
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("this folder")
```
{where}
Or here:

{ours}"""
