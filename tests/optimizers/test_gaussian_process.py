"""The model of the residuals, against its formulas written out with matrices."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.optimizers.gaussian_process import fit, fit_each

N, D, M, SCALE, NOISE = 7, 4, 3, 1.7, 0.05


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, D)), rng.standard_normal((N, M))


def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((A[:, None] - B[None]) ** 2).sum(axis=2) / SCALE**2)


def seen_from(Z: np.ndarray, row: int) -> np.ndarray:
    X = Z - Z[row]
    return X @ X.T


def test_the_mean_is_the_posterior_mean(data: tuple[np.ndarray, np.ndarray]) -> None:
    """At any combination of the inputs: mu + k (K + noise I)^-1 (R - mu), mu by least squares."""
    Z, R = data
    K = kernel(Z, Z) + NOISE * np.eye(N)
    one = np.linalg.solve(K, np.ones(N))
    mu = one @ R / one.sum()
    beta = np.random.default_rng(1).standard_normal(N)
    point = Z[2] + beta @ (Z - Z[2])
    expected = mu + kernel(point[None], Z)[0] @ np.linalg.solve(K, R - mu)
    model = fit(seen_from(Z, 2), R, SCALE, NOISE)
    assert model is not None
    assert model.predict(beta)[0] == pytest.approx(expected)
    variance = ((R - mu) * np.linalg.solve(K, R - mu)).mean(axis=0)
    log_det = np.linalg.slogdet(K)[1]
    likelihood = -0.5 * (N * np.log(variance).sum() + M * log_det)
    assert model.likelihood == pytest.approx(likelihood)


def test_the_jacobian_is_the_slope_of_the_mean(data: tuple[np.ndarray, np.ndarray]) -> None:
    """C X equals the finite differences of the mean along every input."""
    Z, R = data
    model = fit(seen_from(Z, 0), R, SCALE, NOISE)
    assert model is not None
    X, beta, h = Z - Z[0], np.full(N, 0.1), 1e-6
    jacobian = model.predict(beta)[1] @ X
    for row in range(1, N):
        forward, backward = beta.copy(), beta.copy()
        forward[row] += h
        backward[row] -= h
        slope = (model.predict(forward)[0] - model.predict(backward)[0]) / (2 * h)
        assert slope == pytest.approx(jacobian @ X[row], abs=1e-6)


def test_without_noise_it_passes_through_what_was_told(data: tuple[np.ndarray, np.ndarray]) -> None:
    """At each input the mean is what was told there, whichever input it is seen from."""
    Z, R = data
    model = fit(seen_from(Z, 0), R, SCALE, 1e-10)
    assert model is not None
    for origin in range(N):
        moved = model.seen_from(seen_from(Z, origin))
        assert moved.predict(np.zeros(N))[0] == pytest.approx(R[origin], abs=1e-6)


def test_smoothing_gives_posterior_mean_and_variance(data: tuple[np.ndarray, np.ndarray]) -> None:
    """At the inputs: K (K + noise I)^-1, and amplitude times K - K (K + noise I)^-1 K."""
    Z, R = data
    model = fit(seen_from(Z, 0), R, SCALE, NOISE)
    assert model is not None
    mean, variance = model.smoothed(R)
    K = kernel(Z, Z)
    hat = K @ np.linalg.inv(K + NOISE * np.eye(N))
    assert mean == pytest.approx(model.mean + hat @ (R - model.mean))
    assert variance == pytest.approx(np.outer(np.diag(K - hat @ K), model.amplitude))


def test_the_likeliest_model_is_the_true_one() -> None:
    """Of some length scales and noises, those that made the data are the likeliest."""
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((150, 2))
    K = np.exp(-0.5 * ((Z[:, None] - Z[None]) ** 2).sum(axis=2)) + 0.01 * np.eye(150)
    R = np.linalg.cholesky(K) @ rng.standard_normal((150, 6))
    tried = {
        (scale, noise): fit(Z @ Z.T, R, scale, noise)
        for scale in (0.25, 0.5, 1.0, 2.0, 4.0)
        for noise in (1e-4, 1e-2, 1.0)
    }
    assert max(tried, key=lambda key: tried[key].likelihood) == (1.0, 0.01)


def test_outputs_that_inputs_move_differently_get_noise_of_their_own():
    """Two outputs of one noise, of which inputs move one ten times as far: its share is a hundredth. With
    the noise that it finds, each is what the process of one noise makes of it."""
    rng = np.random.default_rng(3)
    Z = rng.standard_normal((80, 3))
    outputs = np.column_stack([10 * Z[:, 0], Z[:, 1]]) + rng.standard_normal((80, 2))
    gram = Z @ Z.T
    each = fit_each(gram, outputs, scale=6.0)
    assert each.noise[1] >= 30 * each.noise[0]
    mean, variance = each.smoothed(outputs)
    for column, noise in enumerate(each.noise):
        one = fit(gram, outputs[:, [column]], 6.0, float(noise))
        assert np.allclose(each.weights[:, [column]], one.weights)
        assert np.allclose(each.amplitude[column], one.amplitude)
        expected = one.smoothed(outputs[:, [column]])
        assert np.allclose(mean[:, [column]], expected[0])
        assert np.allclose(variance[:, [column]], expected[1])
