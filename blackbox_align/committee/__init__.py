"""The committee: which experts answer, and with what weights (routing).

Several ways lead to weights, and all give one :class:`Decision`: weights are stated
(:func:`stated_weights`), found from answers to a few known questions (:func:`weights_by_answers`) or from
a profile (:func:`weights_by_profile`), or read from a text (:class:`TextRouter`). A :class:`Committee`
answers by them.
"""

from ..engines.base import write_all
from ..statistics.mixtures import fit_weights
from .asking import (
    answer_closed,
    closed_question,
    decide,
    simulated_note,
    told_shares,
    told_texts,
)
from .by_answers import weights_by_answers
from .by_profile import read_profile, weights_by_profile
from .by_text import Embedder, Query, TextRouter
from .combine import combine
from .committee import FORMS, Committee, mixed
from .decision import Considered, Decision
from .embedders import sentence_model
from .fusion import FusionSettings, cluster_centroids, fuse
from .known_answers import known_answers
from .personas import drawn_personas, read_personas, write_personas
from .real_answers import combine_with
from .stated import stated_weights

__all__ = [
    "FORMS",
    "Committee",
    "Considered",
    "Decision",
    "Embedder",
    "FusionSettings",
    "Query",
    "TextRouter",
    "answer_closed",
    "closed_question",
    "cluster_centroids",
    "combine",
    "combine_with",
    "decide",
    "drawn_personas",
    "fit_weights",
    "fuse",
    "known_answers",
    "mixed",
    "read_personas",
    "read_profile",
    "sentence_model",
    "simulated_note",
    "stated_weights",
    "told_shares",
    "told_texts",
    "weights_by_answers",
    "weights_by_profile",
    "write_all",
    "write_personas",
]
