"""The committee: which experts answer, and with what weights (routing).

Three ways lead to weights, and all give one :class:`Decision`: weights are stated
(:func:`stated_weights`), found from answers to a few known questions (:func:`weights_by_answers`), or
read from a text (:class:`TextRouter`).
"""

from .by_answers import FittedWeights, fit_weights, weights_by_answers
from .by_text import Embedder, Query, TextRouter
from .combine import Combined, combine
from .decision import Considered, Decision
from .embedders import sentence_model
from .fusion import Fused, FusionSettings, cluster_centroids, fuse
from .stated import stated_weights

__all__ = [
    "Combined",
    "Considered",
    "Decision",
    "Embedder",
    "FittedWeights",
    "Fused",
    "FusionSettings",
    "Query",
    "TextRouter",
    "cluster_centroids",
    "combine",
    "fit_weights",
    "fuse",
    "sentence_model",
    "stated_weights",
    "weights_by_answers",
]
