"""Frozen causal language models: any from Hugging Face by name or folder, and those that ship here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..adapters.adapter import PLACEMENTS
from ..adapters.starts import embedding_std
from ..errors import DataFileError, ModelError, SpecificationError, UnknownNameError
from ..files.hub import fetch_model
from ..files.yaml import YamlDocument
from ..models import packaged_models
from ..surveys.sheet import ORDERS
from .adapted import base_of, is_lora, lora_digest, with_lora
from .base import EngineInfo
from .identity import answering_files, folder_digest, refuse_pointers

DEFAULT_MODEL = "respondent-tiny"
_SPREAD = "spread"
BOTH_WAYS = (
    "reversed"  # scales are asked in both directions, where a model's card says nothing else
)
DTYPES = ("auto", "float32", "tf32", "bfloat16", "float16")


@dataclass(frozen=True)
class LanguageModel:
    """A frozen model with its tokenizer, ready to be asked.

    ``source`` is a folder or a name on the hub, ``revision`` a hash of the content of all that an
    answer follows from, ``commit`` that of a hub model; ``disclaimer`` is a sentence of the model's own
    card that has to be shown, ``orders`` what it says of the orders of options that suit the model, and
    ``writes`` whether it writes texts; ``tf32`` says that a GPU may round what it multiplies in float32 to
    ten bits behind the point.
    """

    name: str
    source: str
    revision: str
    model: Any
    tokenizer: Any
    disclaimer: str = ""
    commit: str = ""
    orders: str = BOTH_WAYS
    writes: bool = True
    placement: str = ""
    tf32: bool = False

    @property
    def device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def embedding_width(self) -> int:
        """D: the width of one virtual token."""
        return int(self.model.get_input_embeddings().weight.shape[1])

    @property
    def info(self) -> EngineInfo:
        """What is known without an engine."""
        return self.described()

    def described(self, **more: Any) -> EngineInfo:
        """What is known, with what an engine adds."""
        return EngineInfo(
            self.name,
            self.revision,
            "tf32" if self.tf32 else str(self.dtype).removeprefix("torch."),
            self.embedding_width,
            int(self.model.get_input_embeddings().weight.shape[0]),
            disclaimer=self.disclaimer,
            commit=self.commit,
            orders=self.orders,
            writes=self.writes,
            **more,
        )

    def places(self, usual: str) -> dict[str, str]:
        """Where a soft prompt stands, with a gradient and without one: as the card says, or by default."""
        return {"placement": self.placement or usual, "searched": self.placement or "last"}

    @torch.inference_mode()
    def embed(self, token_ids: Any) -> np.ndarray:
        """(tokens, D) float32: the *output* of the embedding module, which some models scale inside."""
        ids = torch.as_tensor(token_ids, dtype=torch.long, device=self.device)
        return self.model.get_input_embeddings()(ids).float().cpu().numpy()

    def embedding_std(self) -> float:
        """See :func:`..adapters.starts.embedding_std`."""
        return embedding_std(self)


@dataclass(frozen=True)
class Checkpoint:
    """A model before its weights are read: enough to know which answers are its own.

    ``source``, ``revision``, ``commit``, ``disclaimer``, ``orders`` and ``writes`` are those of
    :class:`LanguageModel`; ``folder`` is where its files lie. Device and dtype are settled, and ``spread``
    is over all devices of that kind. ``lora`` is the folder of a LoRA that is merged into it, if any; its
    content is part of the ``revision``.
    """

    name: str
    source: str
    revision: str
    commit: str
    folder: Path
    device: torch.device
    spread: bool
    dtype: torch.dtype
    trust_remote_code: bool
    disclaimer: str
    orders: str
    writes: bool = True
    placement: str = ""
    tf32: bool = False
    lora: Path | None = None

    @cached_property
    def model(self) -> LanguageModel:
        """The model itself, loaded when first asked for; :class:`ModelError` where it cannot be."""
        model, tokenizer = _from_pretrained(self)
        if self.lora is not None:
            model, tokenizer = with_lora(self.lora, self.name, model, tokenizer)
        model.requires_grad_(False).eval()
        return LanguageModel(
            self.name, self.source, self.revision, model, tokenizer, self.disclaimer, self.commit,
            self.orders, self.writes, self.placement, self.tf32,
        )  # fmt: skip


def load_model(name: str = DEFAULT_MODEL, **settings: Any) -> LanguageModel:
    """Load a frozen causal model; the settings and errors are those of :func:`find_model`.

    Raises :class:`ModelError` as well where it cannot be loaded; the message says what to do.
    """
    return find_model(name, **settings).model


def find_model(
    name: str = DEFAULT_MODEL,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> Checkpoint:
    """Find a frozen causal model without loading it.

    Parameters
    ----------
    name : a model that ships with the package, a folder, or a name on the Hugging Face hub
    device : ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ..., or ``spread``: layer
        by layer over all GPUs, for a model that is larger than one
    dtype : ``auto`` or one of :data:`DTYPES`; ``auto`` is float32 on a CPU, and on a GPU float16 where the
        model stands it, see :mod:`.local.precision`, which loads it once to find out; ``tf32`` is float32
        whose products a GPU takes of numbers with ten bits behind the point, at several times the speed

    Raises
    ------
    ModelError
        There is no such folder, it holds no model, or it cannot be fetched from the hub.
    SpecificationError
        There is no such device or dtype.
    """
    if is_lora(name):
        return _adapted(
            name, revision, device=device, dtype=dtype, trust_remote_code=trust_remote_code
        )
    source = _source(name)
    where = _device(device)
    precision = _dtype(dtype, where)
    folder, commit = Path(source), ""
    if not folder.is_dir():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        folder, commit = fetch_model(source, revision, _needed)
    refuse_pointers(folder, name)
    card = _front_matter(folder)
    found = Checkpoint(
        name,
        source,
        folder_digest(folder),
        commit,
        folder,
        where,
        device == _SPREAD,
        precision,
        trust_remote_code,
        disclaimer=str(card.get("disclaimer") or ""),
        orders=_orders(card),
        writes=card.get("writes") is not False,  # YAML's own "no"
        placement=_placement(card),
        tf32=dtype == "tf32",
    )
    if dtype != "auto" or where.type != "cuda":
        return found
    from .local.precision import settled

    return settled(found)


def _adapted(name: str, revision: str | None, **settings: Any) -> Checkpoint:
    """The model that a LoRA's folder names, with the LoRA; the identity covers both."""
    folder = Path(name).expanduser()
    if revision is not None:
        raise SpecificationError(
            f"{name!r} is a LoRA on this machine, whose own configuration says which revision of its base "
            "it is for; leave --revision out."
        )
    base, commit = base_of(folder, name)
    try:
        found = find_model(base, revision=commit, **settings)
    except ModelError as error:
        raise ModelError(
            f"{name!r} is a LoRA on the model {base!r}, which cannot be had: {error} The name stands in its "
            "adapter_config.json."
        ) from None
    if found.lora is not None:
        raise ModelError(
            f"{name!r} is a LoRA on {base!r}, which is a LoRA as well; merge that one first."
        )
    refuse_pointers(folder, name)
    both = lora_digest(folder, found.revision)
    return replace(found, name=name, source=str(folder), revision=both, lora=folder)


def _needed(names: list[str]) -> list[str]:
    """Of a model on the hub: what it answers by, and its card."""
    return [*answering_files(names), "README.md"]


def _source(name: str) -> str:
    """What ``from_pretrained`` is given: a folder or a name on the hub."""
    packaged = packaged_models()
    if name in packaged:
        return str(packaged[name])
    folder = Path(name).expanduser()
    looks_like_path = name.startswith((".", "/", "~")) or folder.exists() or name.count("/") > 1
    if looks_like_path:
        if not folder.is_dir():
            raise ModelError(
                f"There is no model folder {name!r}: expected a folder with config.json."
            )
        if not (folder / "config.json").is_file():
            raise ModelError(f"{name!r} is not a model folder: it holds no config.json.")
        return str(folder)
    if (
        "/" not in name
    ):  # hub names without an owner are rare; a slip in a packaged name is likelier
        near = UnknownNameError("model", name, packaged)
        if near.nearest:
            raise near
    return name


def _device(device: str) -> torch.device:
    started = os.environ.get("WORLD_SIZE", "1")
    if "LOCAL_RANK" in os.environ and started != "1":
        raise SpecificationError(
            f"torchrun started this {started} times, and no model is cut across processes. Start it once: "
            "--device spread lays a model over all GPUs, --workers puts whole ones side by side."
        )
    if device in ("auto", _SPREAD):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
    except RuntimeError:
        raise SpecificationError(
            f"The device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'spread'; not {device!r}."
        ) from None
    if where.type == "cuda" and not torch.cuda.is_available():
        raise SpecificationError(
            f"The device {device!r} was asked for, but torch sees no GPU here."
        )
    return where


def _dtype(dtype: str, device: torch.device) -> torch.dtype:
    if dtype not in DTYPES:
        known = ", ".join(repr(name) for name in DTYPES)
        raise SpecificationError(f"The dtype must be one of {known}; not {dtype!r}.")
    if dtype == "tf32":
        if device.type != "cuda":
            raise SpecificationError(
                "tf32 is a way in which a GPU multiplies, and the model is on a CPU here; ask for float32."
            )
        return torch.float32
    if dtype != "auto":
        return getattr(torch, dtype)
    if device.type != "cuda":
        return torch.float32
    return torch.float16


def _from_pretrained(checkpoint: Checkpoint) -> tuple[Any, Any]:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    name, source = checkpoint.name, str(checkpoint.folder)
    options: dict[str, Any] = {"trust_remote_code": checkpoint.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        if checkpoint.device.type == "cpu" and checkpoint.folder in packaged_models().values():
            return _packaged(source, checkpoint.dtype), tokenizer
        # On a CPU it is loaded as it is; else every weight goes straight to where it belongs.
        one = None if checkpoint.device.type == "cpu" else {"": checkpoint.device}
        places = "auto" if checkpoint.spread else one
        model, found = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=checkpoint.dtype,
            device_map=places,
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # transformers, the hub and safetensors raise a dozen kinds
        raise ModelError(_why_not_loaded(name, error)) from error
    missing = sorted(found["missing_keys"])
    if missing:  # transformers would fill them with random numbers, and say so to nobody
        raise ModelError(
            f"The model {name!r} is not whole: {len(missing)} of its weights are in no file, "
            f"{missing[0]} for one. Fetch it again, or check its config.json."
        )
    return model, tokenizer


def _packaged(folder: str, dtype: torch.dtype) -> Any:
    """A model that ships with the package: one file of weights by the names that its own modules have.

    ``from_pretrained`` makes every model without data first, for which torch imports its compiler, and
    looks up how weights of other names are converted: half of what a first table takes.
    """
    from safetensors.torch import load_model
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.initialization import no_init_weights

    with no_init_weights():
        config = AutoConfig.from_pretrained(folder)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.tie_weights()
    model.generation_config = GenerationConfig.from_pretrained(folder)
    load_model(model, Path(folder) / "model.safetensors")  # strict: all of them, and no others
    return model


def _why_not_loaded(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if "trust_remote_code" in reason:
        return (
            f"The model {name!r} brings code of its own, which is not run unless you say so: "
            "read it, then add --trust-remote-code."
        )
    return f"The model {name!r} cannot be loaded ({type(error).__name__}): {reason[:300]}"


def _front_matter(folder: Path) -> dict[str, Any]:
    """The front matter of a model card; empty where it has none."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    parts = re.split(
        r"^---[ \t]*$", card.read_text("utf-8", "replace"), maxsplit=2, flags=re.MULTILINE
    )
    if len(parts) < 3 or parts[0].strip("\ufeff \n"):
        return {}
    try:
        front = YamlDocument(card, parts[1]).value
    except DataFileError:  # cards are written for people, and checked by nobody
        return {}
    return front if isinstance(front, dict) else {}


def _orders(card: dict[str, Any]) -> str:
    """What a card says under ``orders``, if that is one of :data:`..surveys.sheet.ORDERS`."""
    said = str(card.get("orders") or "")
    return said if said in ORDERS else BOTH_WAYS


def _placement(card: dict[str, Any]) -> str:
    """What a card says under ``placement``, if that is one of :data:`..adapters.adapter.PLACEMENTS`."""
    said = str(card.get("placement") or "")
    return said if said in PLACEMENTS else ""
