"""From settings to an engine."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError
from ..models import packaged_models
from .base import Engine
from .ray.cluster import Workers

if TYPE_CHECKING:
    from .local.chat import ChatFormat
    from .local.engine import LocalEngine


def open(
    model: str | os.PathLike[str] = "respondent-tiny",
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    form: ChatFormat | None = None,
    compile: str = "auto",
    workers: Workers | None = None,
    on_trouble: Callable[[str], None] = lambda sentence: None,
) -> Engine:
    """Open an engine; close it when it is no longer needed.

    Parameters
    ----------
    model, revision, device, dtype, trust_remote_code : as of :func:`.checkpoint.find_model`
    form : what is put around a question, as :func:`chat_format` makes it; by default the model's own
    compile : layers are compiled on a GPU (``auto``), nowhere (``never``) or also here (``always``)
    workers : ask on a Ray cluster instead of in this process
    on_trouble : is told, in a sentence, of every worker lost and its cause

    Raises
    ------
    ModelError
        There is no such model, it cannot be loaded, or it cannot be asked here.
    SpecificationError
        There is no such device or dtype.
    """
    with _nothing_collected():
        from .checkpoint import find_model
        from .local.engine import LocalEngine
    from .ray.engine import open_on_workers

    form = form or chat_format()
    settings: dict[str, Any] = {
        "name": os.fspath(model),
        "revision": revision,
        "device": device,
        "dtype": dtype,
        "trust_remote_code": trust_remote_code,
    }
    if workers is not None:
        return open_on_workers(settings, form, workers, on_trouble, compile)
    if _kept is None:
        return LocalEngine(find_model(**settings).model, form=form, compile=compile)
    key = repr((sorted(settings.items()), form, compile))
    if key not in _kept:
        for other in _kept.values():  # one at a time: memory is for the present model
            LocalEngine.close(other)
        _kept.clear()

        class Kept(LocalEngine):
            def close(self) -> None:
                """It stays open for the next fit."""

        _kept[key] = Kept(find_model(**settings).model, form=form, compile=compile)
    return _kept[key]


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """For the first import of torch and transformers, whose objects stay for as long as the process does.

    Looking through them for garbage, again and again while they come and with all that follows, takes a
    third of a short fit's time.
    """
    if "transformers" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


_kept: dict[str, LocalEngine] | None = None


def keep_engine() -> None:
    """From now on this process opens one engine for all who ask for the same, one after another.

    For many short fits in a row, of which each would close its engine before the next one opens another.
    """
    global _kept
    if _kept is None:
        _kept = {}


def forget_engine() -> None:
    """End what :func:`keep_engine` began: the engine is closed, and the next one is opened anew."""
    from .local.engine import LocalEngine

    global _kept
    for engine in (_kept or {}).values():
        LocalEngine.close(engine)
    _kept = None


def check_revision(model: str, revision: str | None) -> None:
    """Refuse a revision of what has none; :class:`SpecificationError`."""
    if revision and (model in packaged_models() or Path(model).expanduser().is_dir()):
        raise SpecificationError(
            f"--revision is a commit or branch of a model on the hub, and {model!r} lies on this machine: "
            "leave it out."
        )


def chat_format(chat_template: str = "auto", system: str = "", date: str = "") -> ChatFormat:
    """What is put around a question.

    Parameters
    ----------
    chat_template : ``auto`` for the model's own where it has one, ``none``, or a Jinja file
    system : a text in front, as a system message where there is a template
    date : the day that a template may write, as ``2026-11-26``; by default today

    Raises
    ------
    SpecificationError
        There is no such file.
    """
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
