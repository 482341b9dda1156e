"""From settings to an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError
from ..models import packaged_models
from .base import Engine
from .ray.cluster import Workers

if TYPE_CHECKING:
    from .checkpoint import LanguageModel
    from .local.chat import ChatFormat


def open(
    model: str = "respondent-tiny",
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    chat_template: str = "auto",
    system: str = "",
    date: str = "",
    compile: str = "auto",
    workers: Workers | None = None,
    on_trouble: Callable[[str], None] = lambda sentence: None,
) -> Engine:
    """Open an engine; close it when it is no longer needed.

    Parameters
    ----------
    model, revision, device, dtype, trust_remote_code : as of :func:`.checkpoint.find_model`
    chat_template : ``auto`` for the model's own where it has one, ``none``, or a Jinja file
    system : a text in front, as a system message where there is a template
    date : the day that a template may write, as ``2026-11-26``; by default today
    compile : layers are compiled on a GPU (``auto``), nowhere (``never``) or also here (``always``)
    workers : ask on a Ray cluster instead of in this process
    on_trouble : is told, in a sentence, of every worker lost and its cause

    Raises
    ------
    ModelError
        There is no such model, it cannot be loaded, or it cannot be asked here.
    SpecificationError
        There is no such device, dtype or chat template.
    """
    from .checkpoint import find_model
    from .local.engine import LocalEngine
    from .ray.engine import open_on_workers

    form = chat_format(chat_template, system, date)
    settings: dict[str, Any] = {
        "name": model,
        "revision": revision,
        "device": device,
        "dtype": dtype,
        "trust_remote_code": trust_remote_code,
    }
    if workers is not None:
        return open_on_workers(settings, form, workers, on_trouble)
    if _kept is None:
        return LocalEngine(find_model(**settings).model, form=form, compile=compile)
    key = repr(sorted(settings.items()))
    if key not in _kept:
        _kept.clear()  # one at a time: memory is for the present model
        _kept[key] = find_model(**settings).model
    return LocalEngine(_kept[key], form=form, compile=compile)


_kept: dict[str, LanguageModel] | None = None


def keep_model() -> None:
    """From now on this process loads a model once for all engines that it opens one after another.

    For many short fits in a row, each of which closes its engine before the next is opened: an engine is
    the only owner of its model while it is open.
    """
    global _kept
    if _kept is None:
        _kept = {}


def check_revision(model: str, revision: str | None) -> None:
    """Refuse a revision of what has none; :class:`SpecificationError`."""
    if revision and (model in packaged_models() or Path(model).expanduser().is_dir()):
        raise SpecificationError(
            f"--revision is a commit or branch of a model on the hub, and {model!r} lies on this machine: "
            "leave it out."
        )


def chat_format(chat_template: str = "auto", system: str = "", date: str = "") -> ChatFormat:
    """What is put around a question, from the settings of :func:`open`."""
    from .local.chat import ChatFormat

    return ChatFormat(_template(chat_template), system, date)


def _template(name: str) -> str:
    if name in ("auto", "none"):
        return name
    path = Path(name).expanduser()
    if not path.is_file():
        raise SpecificationError(
            f"The chat template must be 'auto', 'none' or a file; there is no file {name!r}."
        )
    return path.read_text(encoding="utf-8")
