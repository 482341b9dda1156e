"""MoCulE's fusion: a user and topics as embeddings, to weights over experts (arXiv 2506.00242).

All vectors are embeddings of unit length; distances are L1 sums over their entries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.special import softmax

from ..errors import SpecificationError


@dataclass(frozen=True)
class FusionSettings:
    """The constants of the fusion, the paper's by default.

    Parameters
    ----------
    topics_share, user_share : what the mean topic and the user weigh in z
    scale : z is divided by it
    top : experts that answer
    threshold : tau, the score that the best expert has to reach, for vectors of 1,024 entries. L1
        distances between unit vectors grow with the root of the width, and tau is scaled so.
    clusters : clusters of experts, one of which answers where no expert reaches tau
    """

    topics_share: float = 0.6
    user_share: float = 0.4
    scale: float = 1.0
    top: int = 3
    threshold: float = -30.0
    clusters: int = 3

    def __post_init__(self) -> None:
        if self.top < 1 or self.clusters < 1:
            raise SpecificationError(
                f"top is {self.top} and clusters {self.clusters}; both are at least 1."
            )
        if not self.scale > 0:
            raise SpecificationError(f"scale is {self.scale}; it has to be above 0.")

    def threshold_at(self, width: int) -> float:
        """tau for vectors of ``width`` entries."""
        return self.threshold * float(np.sqrt(width / 1024))


@dataclass(frozen=True, eq=False)
class Fused:
    """What the fusion gives.

    Parameters
    ----------
    scores : (experts,) minus the L1 distance of every expert from z
    chosen : the experts chosen, the best first; of equal ones those that stand first
    weights : (chosen,) their weights, 1 in sum
    threshold : tau at this width
    fell_back : whether no expert reached tau, and a cluster was chosen
    """

    scores: np.ndarray
    chosen: tuple[int, ...]
    weights: np.ndarray
    threshold: float
    fell_back: bool


def fuse(
    experts: np.ndarray,
    user: np.ndarray,
    topics: np.ndarray | None = None,
    settings: FusionSettings | None = None,
    centroids: np.ndarray | None = None,
) -> Fused:
    """Weights over experts for a user and topics.

    z = (0.6 mean topic + 0.4 user) / 1.0, the mean topic being the user where there are no topics;
    score_j = -||E_j - z||_1; the best three are weighted by a softmax of their scores. Where the best
    score lies below tau, the scores are those from the centroid nearest to the user (L2).

    Parameters
    ----------
    experts : (experts, D)
    user : (D,)
    topics : (topics, D), or None
    centroids : (clusters, D), as :func:`cluster_centroids` finds them; found here where None
    """
    settings = settings or FusionSettings()
    mean_topic = user if topics is None or len(topics) == 0 else topics.mean(axis=0)
    fused = (settings.topics_share * mean_topic + settings.user_share * user) / settings.scale
    scores = -np.abs(experts - fused).sum(axis=1)
    threshold = settings.threshold_at(experts.shape[1])
    fell_back = bool(scores.max() < threshold)
    deciding = scores
    if fell_back:
        if centroids is None:
            centroids = cluster_centroids(experts, settings.clusters)
        nearest = centroids[np.square(centroids - user).sum(axis=1).argmin()]
        deciding = -np.abs(experts - nearest).sum(axis=1)
    # Scores that differ by rounding alone are equal, and of those the experts that stand first are taken.
    chosen = np.argsort(-np.round(deciding, 9), kind="stable")[: settings.top]
    return Fused(scores, tuple(map(int, chosen)), softmax(deciding[chosen]), threshold, fell_back)


def cluster_centroids(experts: np.ndarray, clusters: int) -> np.ndarray:
    """(clusters, D): centroids of K-means over (experts, D), fewer where fewer experts differ.

    It starts from experts far from each other (the one furthest from the mean, then always the one
    furthest from those taken), so that nothing is drawn and the same experts give the same clusters.
    """
    experts = np.asarray(experts, np.float64)
    starts: list[int] = []
    distance = np.square(experts - experts.mean(axis=0)).sum(axis=1)
    while len(starts) < clusters and (not starts or distance.max() > 1e-12):
        starts.append(int(distance.argmax()))
        to_last = np.square(experts - experts[starts[-1]]).sum(axis=1)
        distance = to_last if len(starts) == 1 else np.minimum(distance, to_last)
    centroids, labels = kmeans2(experts, experts[starts], iter=50, minit="matrix", missing="warn")
    return centroids[np.unique(labels)]
