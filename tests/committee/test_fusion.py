"""MoCulE's fusion against figures worked by hand."""

import numpy as np
import pytest

from blackbox_align.committee import FusionSettings, cluster_centroids, fuse
from blackbox_align.errors import SpecificationError

EXPERTS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
NEVER = FusionSettings(threshold=-1e9)


def test_topics_and_user_are_fused_as_by_hand():
    """z = 0.6 (0.5, 0.5) + 0.4 (1, 0) = (0.7, 0.3): distances 0.6, 1.4, 2.0, 2.0."""
    fused = fuse(EXPERTS, np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.0, 1.0]]), NEVER)
    assert fused.scores == pytest.approx([-0.6, -1.4, -2.0, -2.0])
    risen = np.exp([0.0, -0.8, -1.4])
    assert fused.chosen == (0, 1, 2)  # of the tied third and fourth, the one that stands first
    assert fused.weights == pytest.approx(risen / risen.sum())
    assert not fused.fell_back


@pytest.mark.parametrize("topics", [None, np.zeros((0, 2))])
def test_without_topics_the_user_is_the_topic(topics):
    """z = 0.6 u + 0.4 u = u."""
    fused = fuse(EXPERTS, np.array([0.8, -0.6]), topics, NEVER)
    assert fused.scores == pytest.approx([-0.8, -2.4, -2.4, -1.2])
    assert fused.chosen == (0, 3, 1)


def test_scale_divides_z():
    """z = u / 2 = (0.5, 0): distances 0.5, 1.5, 1.5, 1.5."""
    fused = fuse(EXPERTS, np.array([1.0, 0.0]), None, FusionSettings(scale=2, threshold=-1e9))
    assert fused.scores == pytest.approx([-0.5, -1.5, -1.5, -1.5])


def test_equal_scores_get_equal_weights():
    """All four lie 2 from (0, 0) less 1: a tie is shared, and the first three answer."""
    fused = fuse(EXPERTS, np.zeros(2), None, NEVER)
    assert fused.chosen == (0, 1, 2) and fused.weights == pytest.approx([1 / 3] * 3)


def test_far_from_all_the_cluster_nearest_to_the_user_answers():
    """Clusters {(10, 0), (10, 1)} and {(0, 10)}: from (10, 0.5) both of the first lie 0.5 away.

    z = 0.6 (0, 10) + 0.4 (10, 0) = (4, 6), 12, 11 and 8 from the experts; tau = -1 here. Of the
    centroids the user (10, 0) is nearest to (10, 0.5).
    """
    experts = np.array([[10.0, 0.0], [10.0, 1.0], [0.0, 10.0]])
    settings = FusionSettings(threshold=-1.0 * np.sqrt(1024 / 2), clusters=2, top=2)
    fused = fuse(experts, np.array([10.0, 0.0]), np.array([[0.0, 10.0]]), settings)
    assert fused.scores == pytest.approx([-12.0, -11.0, -8.0])
    assert fused.fell_back and fused.threshold == pytest.approx(-1.0)
    assert fused.chosen == (0, 1) and fused.weights == pytest.approx([0.5, 0.5])


def test_the_threshold_grows_with_the_root_of_the_width():
    """-30 at 1,024 entries is -15 at 256; a score of exactly tau does not fall back."""
    assert FusionSettings().threshold_at(256) == pytest.approx(-15.0)
    at = FusionSettings(threshold=-2.0 * np.sqrt(1024 / 2))
    user = np.array([3.0, 0.0])  # 2 from the first expert
    assert fuse(EXPERTS, user, None, at).scores.max() == pytest.approx(at.threshold_at(2))
    assert not fuse(EXPERTS, user, None, FusionSettings(threshold=at.threshold - 1e-9)).fell_back
    assert fuse(EXPERTS, user, None, FusionSettings(threshold=at.threshold + 1e-6)).fell_back


def test_clusters_do_not_depend_on_the_order_of_experts():
    """Nothing is drawn: the same experts in another order have the same centroids."""
    rng = np.random.default_rng(0)
    experts = np.concatenate([rng.normal(size=(5, 3)) * 0.1 + centre for centre in np.eye(3) * 5])
    found = cluster_centroids(experts, 3)
    again = cluster_centroids(experts[rng.permutation(15)], 3)
    assert sorted(map(tuple, np.round(found, 9))) == sorted(map(tuple, np.round(again, 9)))
    means = [experts[n : n + 5].mean(axis=0) for n in (0, 5, 10)]
    assert sorted(map(tuple, np.round(found, 9))) == sorted(map(tuple, np.round(means, 9)))


def test_equal_experts_make_fewer_clusters_and_fewer_experts_a_smaller_choice():
    """Three clusters of two places are two; the first three of two experts are two."""
    assert len(cluster_centroids(np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), 3)) == 2
    assert fuse(EXPERTS[:2], np.ones(2)).chosen == (0, 1)


def test_settings_out_of_range_are_refused():
    """No experts, or a division by 0."""
    with pytest.raises(SpecificationError, match="at least 1"):
        FusionSettings(top=0)
    with pytest.raises(SpecificationError, match="above 0"):
        FusionSettings(scale=0.0)
