"""Workers of a Ray cluster as one engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...adapters.adapter import Adapter
from ...errors import ModelError
from ...surveys.sheet import Sheet
from ..base import Answers, EngineInfo, Reply, Request
from .cluster import Workers
from .pool import OnTrouble, Pool


class RayEngine:
    """A :class:`.pool.Pool` as an engine; see :class:`..base.Engine`.

    Parameters
    ----------
    pool : whose workers have begun to load
    words : an engine of the same model in this process, on the CPU: it embeds, tokenizes, and answers
        plainly
    info : what is known of the model of the workers; by default that of ``words``
    """

    def __init__(self, pool: Pool, words: Any, info: EngineInfo | None = None) -> None:
        self.pool, self.words = pool, words
        known = info or words.info
        self.info: EngineInfo = replace(known, can=known.can - {"submit", "hidden", "pullback"})

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        if plainly:
            given: Answers = self.words.answer(adapters, sheet, plainly=True)
            return given
        return self.pool.answer(adapters, sheet)

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        return np.asarray(self.words.embed(tokens))

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.words.tokenize(text))

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        return tuple(self.words.askable(sheet))

    def submit(self, request: Request) -> Reply:
        raise ModelError("Workers write no texts; open the model without them.")

    def hidden(self, texts: Sequence[str], source: str) -> np.ndarray:
        raise ModelError("Workers give no hidden states; open the model without them.")

    def pullback(
        self, adapters: Sequence[Adapter], sheet: Sheet
    ) -> tuple[Answers, Callable[[Answers], np.ndarray]]:
        raise ModelError("Workers give no gradients; open the model without them.")

    def close(self) -> None:
        self.pool.close()
        self.words.close()

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_on_workers(
    settings: dict[str, Any],
    form: Any,
    workers: Workers,
    on_trouble: OnTrouble,
    compile: str = "auto",
) -> RayEngine:
    """Workers that load a model; ``settings`` are those of :func:`..checkpoint.find_model`.

    On GPUs ``auto`` is bfloat16, and a model is spread over the GPUs of a worker that has several.
    """
    from ..checkpoint import find_model
    from ..local.engine import LocalEngine
    from .worker_model import LoadModel

    if settings["device"] == "cpu" and workers.gpus is None:
        workers = replace(workers, gpus=0.0)  # none is kept from others for nothing
    pool = Pool(workers, on_trouble=on_trouble)
    try:
        pool.connect()
        theirs = dict(settings)
        if settings["dtype"] == "auto":
            theirs["dtype"] = "bfloat16" if pool.gpus else "float32"
        if settings["device"] == "auto" and pool.gpus > 1:
            theirs["device"] = "spread"
        here = "float32" if pool.gpus and theirs["dtype"] == "tf32" else theirs["dtype"]
        found = find_model(**{**theirs, "device": "cpu", "dtype": here})
        words = LocalEngine(found.model, form=form)
        form = replace(form, date=f"{words.reader.date:%Y-%m-%d}")
        pool.load(LoadModel(**theirs, expected=found.revision, form=form, compile=compile))
    except BaseException:
        pool.close()
        raise
    return RayEngine(pool, words, replace(words.info, dtype=theirs["dtype"]))
