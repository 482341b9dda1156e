"""A Gaussian process of a vector-valued function, known only by the inner products of its inputs.

>>> import numpy as np
>>> Z = np.random.default_rng(0).standard_normal((30, 2))
>>> outputs = np.column_stack([np.sin(Z[:, 0]), np.cos(Z[:, 1])])
>>> X = Z - Z[0]
>>> process = fit(X @ X.T, outputs, scale=2.0, noise=1e-8, kernel="gaussian")
>>> mean, _ = process.predict(np.full(30, 1 / 30))  # at the mean of the inputs
>>> bool(abs(mean - [np.sin(Z[:, 0].mean()), np.cos(Z[:, 1].mean())]).max() < 0.01)
True

Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", chapter 2, whose equations are
cited by number. All outputs share one kernel with noise on its diagonal, each with its own constant mean
and amplitude, both profiled out of the likelihood. With s = |z - z'|^2 / l^2 the kernel is ``gaussian``,
k = exp(-s / 2), or ``rational``, k = 1 / (1 + s / 2), which is a mixture of gaussian ones of all length
scales (4.19, at alpha 1): for what is rough in the small and has a trend in the large. Points are written
as combinations of the inputs, so that nothing here is as long as the inputs are: a model of N points
costs N^2 a prediction, whether they have a hundred dimensions or twenty thousand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, eigh

from blackbox_align.optimizers.base import Array

KERNELS = ("rational", "gaussian")
NOISES_OF_EACH = 10.0 ** np.arange(-6.0, 0.6, 0.5)
"""Noise on trial for an output of its own; with more of it nothing would be learned of the output."""


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process: ``gram`` (N, N) of the inputs as seen from an origin, ``weights`` (N, m),
    ``mean`` and ``amplitude`` (m,), ``scale`` l, ``noise`` as a share of the amplitude, one or (m,),
    ``likelihood`` the log of the profiled marginal likelihood, and of the kernel with its noise
    ``factor`` the Cholesky factor, or ``diagonal`` (N, m) of its inverse.
    """

    gram: Array
    weights: Array
    mean: Array
    scale: float
    likelihood: float
    amplitude: Array
    noise: float | Array
    factor: Array | None
    kernel: str = "gaussian"
    diagonal: Array | None = None

    def smoothed(self, outputs: Array) -> tuple[Array, Array]:
        """Mean and variance, each (N, m), at the inputs, where ``outputs`` were told (2.23, 2.24)."""
        mean = outputs - self.noise * self.weights
        diagonal = self.diagonal
        if diagonal is None:
            inverse = cho_solve((self.factor, True), np.eye(len(self.gram)), check_finite=False)
            diagonal = np.diag(inverse)[:, None]
        return mean, self.noise * np.maximum(1.0 - self.noise * diagonal, 0.0) * self.amplitude

    def seen_from(self, gram: Array) -> GaussianProcess:
        """The same process with another origin: ``gram`` as seen from there."""
        return replace(self, gram=gram)

    def predict(self, beta: Array) -> tuple[Array, Array]:
        """Mean and Jacobian at the point ``origin + sum_i beta_i (z_i - origin)``.

        The mean is (m,). The Jacobian is C X with X the (N, d) inputs seen from the origin; C,
        (m, N), is returned.
        """
        g = self.gram @ beta
        squared = np.diag(self.gram) - 2.0 * g + beta @ g
        k = _covariance(squared, self.scale, self.kernel)
        kw = k[:, None] * self.weights
        # -2 dk/ds, which is k itself or k^2
        bent = kw if self.kernel == "gaussian" else k[:, None] * kw
        slope = (bent - np.outer(beta, bent.sum(axis=0))) / self.scale**2
        return self.mean + kw.sum(axis=0), slope.T  # the mean: (2.25)


def _covariance(squared: Array, scale: float, kernel: str) -> Array:
    half = 0.5 * np.maximum(squared, 0.0) / scale**2
    return np.asarray(np.exp(-half) if kernel == "gaussian" else 1.0 / (1.0 + half))


def _kernel_of(gram: Array, scale: float, kernel: str) -> Array:
    q = np.diag(gram)
    return _covariance(q[:, None] + q[None, :] - 2.0 * gram, scale, kernel)


def fit(
    gram: Array, outputs: Array, scale: float, noise: float, kernel: str = "gaussian"
) -> GaussianProcess | None:
    """The process through ``outputs`` (N, m), or None where its kernel is singular."""
    n, m = outputs.shape
    K = _kernel_of(gram, scale, kernel)
    K[np.diag_indices(n)] += noise
    try:
        L = cholesky(K, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return None
    solved = cho_solve((L, True), np.column_stack([outputs, np.ones(n)]), check_finite=False)
    ones = solved[:, -1]
    mean = ones @ outputs / ones.sum()
    weights = solved[:, :-1] - np.outer(ones, mean)
    amplitude = np.maximum(((outputs - mean) * weights).mean(axis=0), np.finfo(float).tiny)
    # (2.30), at the likeliest amplitude of each output
    likelihood = -0.5 * n * np.log(amplitude).sum() - m * np.log(np.diag(L)).sum()
    return GaussianProcess(
        gram, weights, mean, scale, float(likelihood), amplitude, noise, L, kernel
    )


def fit_each(
    gram: Array, outputs: Array, scale: float, kernel: str = "gaussian"
) -> GaussianProcess:
    """The process through ``outputs`` (N, m), each with the likeliest noise of its own.

    Outputs of one noise that inputs move by different amounts differ in it as a share of the amplitude. With
    the kernel's eigenvectors every noise is a sum of N terms.
    """
    n, m = outputs.shape
    values, U = eigh(_kernel_of(gram, scale, kernel), check_finite=False)
    shifted = np.maximum(values, 0.0) + NOISES_OF_EACH[:, None]
    Y, ones = U.T @ outputs, U.sum(axis=0)
    total = (ones**2 / shifted).sum(axis=1, keepdims=True)
    means = (ones / shifted) @ Y / total
    amplitudes = ((1.0 / shifted) @ Y**2 - means**2 * total) / n
    amplitudes = np.maximum(amplitudes, np.finfo(float).tiny)
    likelihoods = -0.5 * (n * np.log(amplitudes) + np.log(shifted).sum(axis=1, keepdims=True))
    best, column = likelihoods.argmax(axis=0), np.arange(m)
    mean, noise, inverse = means[best, column], NOISES_OF_EACH[best], 1.0 / shifted[best].T
    return GaussianProcess(
        gram,
        U @ (inverse * (Y - np.outer(ones, mean))),
        mean,
        scale,
        float(likelihoods[best, column].sum()),
        amplitudes[best, column],
        noise,
        None,
        kernel,
        (U**2) @ inverse,
    )
