"""Gauss-Newton without derivatives, on a Gaussian process of the residuals, in a trust region.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> J = np.random.default_rng(1).standard_normal((6, 100))
>>> optimizer = create("gauss-newton", dimension=100, rng=np.random.default_rng(0))
>>> while optimizer.told < 120:
...     candidates = optimizer.ask()
...     residuals = [J @ c.vector - 100.0 for c in candidates]
...     optimizer.tell(candidates, [Evaluation(abs(r).mean(), r) for r in residuals])
>>> bool(abs(J @ optimizer.recommend().vector - 100.0).max() < 1.0)
True

The family is that of derivative-free least squares: DFO-LS (Cartis, Fiala, Marteau & Roberts
2019) and its random subspaces (Cartis & Roberts 2021) fit a linear model of the residuals to
earlier evaluations. Here the model is a Gaussian process per residual, as in Bayesian
optimisation of composite functions (Astudillo & Frazier 2019), which bends where the residuals
do and knows how noisy they are; the trust region is that of TuRBO (Eriksson et al. 2019) turned
into a ball. With mu(z) and J(z) the mean and the Jacobian of the process, and Z the archive:

(1)  step = J^T (J J^T + lambda I)^-1 mu, lambda such that it fits the trust radius: Levenberg-Marquardt
(2)  z = centre + t step + s |t step| N(0, I) / sqrt(d), with t of STEPS and s of ``explore``
(3)  radius <- 1.6 radius where the first step of a round, which has no random part, kept what the model
     promised of it, up to a length of 1, 0.6 radius where it did not: see :mod:`.trust_region`
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.archive import Archive, Told, apart, told_of
from blackbox_align.optimizers.base import Array, Candidate, Capabilities, Evaluation, Optimizer
from blackbox_align.optimizers.gaussian_process import KERNELS, GaussianProcess, fit, fit_each
from blackbox_align.optimizers.levenberg_marquardt import solve
from blackbox_align.optimizers.one_thread import on_one_thread
from blackbox_align.optimizers.opening import Opening
from blackbox_align.optimizers.options import between, one_of, positive, step
from blackbox_align.optimizers.probe import Probe
from blackbox_align.optimizers.shape import Shape
from blackbox_align.optimizers.trust_region import Promise, factor

SCALES = 2.0 ** np.arange(-2, 5)  # length scales on trial, in units of the first spread
ONE = 2  # the place of 1 among them
NOISES = np.array([1e-6, 1e-4, 1e-2, 1e-1, 1.0])  # noise on trial, as a share of the variance
SMALL = 100  # an archive in which trying all of NOISES costs little
STEPS = (1.0, 1.0, 0.5, 2.0)  # lengths of the steps of a batch, in trust radii
WIDEST = 20_000  # the largest window: a model of N evaluations costs N^2 numbers
USUAL = 0.25  # the first spread where nothing was measured: the linear range of language models in words
WIDER = 2.0  # the first trust radius, in first spreads
AFRESH = 4.0  # how far away a fresh start is, in first spreads
PATIENCE = 30  # batches without a gain of one percent, until the search starts afresh
LATER = 25  # batches until a search that is still far looks at other places
LEAST = 0.1  # the least trust radius, as a share of the length scale: see `_least_radius`

APART = 0.5  # of what was observed elsewhere, as a share of the least length scale
OBSERVED = 60  # of it at most: what a search of its own would have learned by then
AUDIBLE = 1.4  # length scales that a step takes to move an output as much as its noise
TINY = 1e-300


class Fitted(NamedTuple):
    """A model with its place in SCALES and NOISES, the losses of the archive, once the noise is
    smoothed away, and the row of the lowest one, which the model is seen from."""

    model: GaussianProcess
    scale: int
    noise: int
    centre: int
    losses: Array

    @property
    def loss(self) -> float:
        return float(self.losses[self.centre])


class GaussNewton(Optimizer):
    """Steps to where the model puts the smallest residuals, each with a little of the unknown.

    An archive of evaluations (z_i, r_i) gives a model of r(z), exact in the directions that were
    tried, flat in all others. A batch holds the Levenberg-Marquardt solution of the model in a
    ball around the best point, and solutions that are moved at random by a share of their length:
    each of those tries a new direction while it goes where the model points.

    batch    candidates per batch, or per round where they are asked one by one or a few at a time
    window   how many evaluations the archive holds; those farthest from the best one go first
    spread   the first batch is N(0, spread^2 I) around 0, with 0 itself; the model's length scale
             is this at least, in units of sqrt(dimension). Where None a probe is the first batch: five
             evaluations measure how far outputs are linear, four more how noisy they are where that
             is unclear (see :mod:`.probe`)
    radius   the first trust radius, in units of sqrt(dimension); twice the spread where None
    explore  the random part of a step, as a share of its length
    kernel   of the model: "rational" or "gaussian", see :mod:`.gaussian_process`

    The best point is that of the lowest loss told. Where the residuals prove noisy, it is that of the
    model, and so is the recommendation, not the luckiest draw: a loss is then taken in proportion
    to what the model leaves of the residuals. Of evaluations made elsewhere it takes the best that
    are not crowded together. A search that gains nothing any more starts afresh, at random.

    Failed evaluations: they do not enter the archive. To the trust region they are steps that did
    not improve; while none has succeeded yet, the spread is halved with each failed batch.
    """

    name = "gauss-newton"
    capabilities = Capabilities(uses_residuals=True, observes=True)

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        batch: int = 6,
        window: int = 300,
        spread: float | None = None,
        radius: float | None = None,
        explore: float = 0.5,
        kernel: str = "rational",
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self._batch = positive("batch", batch)
        window = positive("window", window, low=2, high=WIDEST)
        self.archive = Archive(window, self.dimension)
        self.opening = Opening(dimension, rng) if spread is None else None
        self._opened: dict[int, Told] = {}
        self.shape: Shape | None = None
        self._radius = None if radius is None else step("radius", radius)
        self._measure_in(USUAL if spread is None else step("spread", spread))
        self.explore = between("explore", explore, 0.0, 1e3)
        self.kernel = str(one_of("kernel", kernel, KERNELS))
        self.origin = np.zeros(self.dimension)
        self.kept: tuple[float, int, Array] | None = None  # of the searches that were given up
        self._start()

    def _measure_in(self, spread: float) -> None:
        """Take ``spread`` for the first spread, and the trust radius from it where none is given."""
        root = float(np.sqrt(self.dimension))
        self.spread, self._shortest = spread, spread * root
        self.radius = (WIDER * spread if self._radius is None else self._radius) * root
        self.delta = self.radius

    def _start(self) -> None:
        self.archive.clear()
        self.centre = 0
        self.delta = self.radius
        self.scale, self.noise = ONE, 0
        self.round_told = 0  # since the trust radius was last set
        self.promise: Promise | None = None
        begun = self.opening.begun if self.opening else 0
        self.draws = max(self._batch - begun, 0)  # of the first round, which are left
        self.waited, self.lowest = 0, np.inf  # batches since the loss was last lowered, and to what
        self._fitted: Fitted | None = None

    @property
    def probe(self) -> Probe | None:
        """What was measured where the search starts; None where nothing was, or not yet."""
        return self.opening.probe if self.opening else None

    @property
    def noisy(self) -> bool:
        """Whether the probe found so much noise that every output gets one of its own, and steps are as long
        as that asks."""
        return self.probe is not None and self.probe.noisy

    @property
    def batch(self) -> int:
        if self.opening and self.asked < self.opening.begun:
            return self.opening.begun - self.asked
        return self._batch - self.asked % self._batch  # rounds end where they would without a probe

    # -- asking ----------------------------------------------------------------------------------

    @on_one_thread
    def _ask(self, ids: range) -> Array:
        pending = self.opening.pending if self.opening else {}
        probing = sum(id in pending for id in ids)
        if probing:
            design = np.array([pending[id] for id in ids[:probing]])
            rest = ids[probing:]
            return np.concatenate([design, self._ask(rest)]) if len(rest) else design
        noise = self.rng.standard_normal((len(ids), self.dimension))
        if self.shape and (self.probe is None or self.probe.near):
            noise = self.shape.of(noise)
        drawn = min(len(ids), self.draws) if len(self.archive) >= 2 else len(ids)
        self.draws = max(self.draws - len(ids), 0)
        if drawn == len(ids):
            return self._draw(ids, noise)
        vectors = self._step(ids, noise)
        vectors[:drawn] = self._draw(ids[:drawn], noise[:drawn])
        return vectors

    def _draw(self, ids: range, noise: Array) -> Array:
        """Vectors of a first round: around the origin, or around the one that is known."""
        vectors = self.origin + self.spread * noise
        if len(self.archive) == 1:
            vectors += self.archive.Z[0] - self.origin
        elif len(ids) and ids.start == 0:
            vectors[0] = 0.0
        return vectors

    def _step(self, ids: range, noise: Array) -> Array:
        if self._fitted is None:
            self._fitted = self._fit(tune=True)
            _, self.scale, self.noise, self.centre, losses = self._fitted
            loss = float(losses[self.centre])
            if self.round_told >= self._batch:
                self._set_radius(losses)
                if self.waited == PATIENCE:
                    self.kept = self._better(self.centre, loss)
                    self.origin = self._elsewhere()
                    self._start()
                    self.draws = self._batch - len(ids)
                    return self._draw(ids, noise)
        lengths, place = np.unique(STEPS, return_inverse=True)
        beta = np.array([solve(self._fitted.model, t * self.delta) for t in lengths])
        centre = self.archive.Z[self.centre]
        steps = beta @ self.archive.Z - beta.sum(axis=1, keepdims=True) * centre
        promise = Promise.of(ids[0], self._fitted.loss, self._fitted.model, beta[place[0]])
        # Where the model sees no way its steps are short: what is near is looked at then.
        least = min(promise.left, 1.0) * self._least_radius()
        vectors = np.empty_like(noise)
        for row, id in enumerate(ids):
            turn = id % self._batch  # so that a round asked one by one is what a batch is
            step = steps[place[turn % len(STEPS)]]
            if not turn:
                self.promise = promise._replace(id=id)
            length = max(self.explore * max(float(np.linalg.norm(step)), least), self._resolution())
            share = length / np.sqrt(self.dimension) if turn else 0.0
            vectors[row] = centre + step + share * noise[row]  # (2)
        return vectors

    def _fit(self, tune: bool) -> Fitted:
        """The likeliest model, and what its losses say of the archive."""
        archive = self.archive
        gram = archive.gram_from(int(np.argmin(archive.losses)))
        model, scale, noise = self._likeliest(gram, archive.R, tune)
        losses = archive.losses
        if noise or self.noisy:
            mean, variance = model.smoothed(archive.R)
            # About the mean of |r| for a normal r, so that what is uncertain does not look good.
            smoothed = np.sqrt(mean**2 + 2 / np.pi * variance).mean(axis=1)
            losses = losses * smoothed / np.maximum(np.abs(archive.R).mean(axis=1), TINY)
        centre = int(np.argmin(losses))
        model = model.seen_from(archive.gram_from(centre))
        return Fitted(model, scale, noise, centre, losses)

    def _likeliest(
        self, gram: Array, outputs: Array, tune: bool
    ) -> tuple[GaussianProcess, int, int]:
        """The likeliest model with the present hyper-parameters or, to tune, their neighbours; and these."""
        few = len(outputs) <= SMALL
        moves = [(0, 0)]
        if tune and few:  # cheap enough to try every noise
            moves = [(ds, dn - self.noise) for ds in (-1, 0, 1) for dn in range(len(NOISES))]
        if tune and self.noisy:
            moves = [(-1, 0), (0, 0), (1, 0)]
        elif tune and not few:
            moves = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
        tried: list[tuple[GaussianProcess, int, int]] = []
        for ds, dn in moves:
            scale, noise = self.scale + ds, self.noise + dn
            # A shorter one hears nothing, and would stay: all that it does not foretell is noise to it.
            least = ONE if self.noisy else 0
            if least <= scale < len(SCALES) and 0 <= noise < len(NOISES):
                length = self._shortest * float(SCALES[scale])
                model: GaussianProcess | None
                if self.noisy:
                    model = fit_each(gram, outputs, length, self.kernel)
                else:
                    model = fit(gram, outputs, length, float(NOISES[noise]), self.kernel)
                if model is not None:
                    tried.append((model, scale, noise))
        if not tried:
            raise OptimizerError("The model of the residuals is singular.")
        return max(tried, key=lambda item: item[0].likelihood)

    def _set_radius(self, losses: Array) -> None:
        promise, loss = self.promise, float(losses.min())
        if promise is not None and promise.id not in self._pending:
            row = np.flatnonzero(self.archive.ids == promise.id)
            self.delta *= factor(promise, float(losses[row[0]]) if len(row) else None)  # (3)
        widest = max(self.radius, float(np.sqrt(self.dimension)))
        self.delta = min(self.delta, widest)
        self.delta = max(self.delta, self._least_radius(), 2 * self._resolution())
        self.round_told = 0
        self.waited += 1
        if loss < 0.99 * self.lowest:
            self.waited, self.lowest = 0, loss

    def _elsewhere(self) -> Array:
        """Where to start afresh: at the next best place on offer, else as far away as another word."""
        if self.opening and (found := self.opening.another()) is not None:
            return found
        return AFRESH * self.spread * self.rng.standard_normal(self.dimension)

    def _offer(self, places: Array, examples: Array | None) -> None:
        self.shape = None if examples is None else Shape(examples)
        if self.opening:
            self.opening.offer(places)

    def _better(self, centre: int, loss: float) -> tuple[float, int, Array]:
        """The centre of a model, or what was kept of earlier searches, whichever has the lower loss."""
        if self.kept is not None and self.kept[0] <= loss:
            return self.kept
        return loss, int(self.archive.ids[centre]), self.archive.Z[centre].copy()

    def _least_radius(self) -> float:
        # The answers of a language model are rough in the small: a radius that may shrink to where
        # they are smooth ends in the nearest ravine.
        return LEAST * self._shortest * max(float(SCALES[self.scale]), 1.0)

    def _resolution(self) -> float:
        """How far a step must go for a residual to change by as much as its noise."""
        scale = self._shortest * SCALES[self.scale]
        if self.noisy and self._fitted is not None:
            share = float(np.minimum(self._fitted.model.noise, 1.0).mean())
            return float(min(AUDIBLE * scale * np.sqrt(share), np.sqrt(self.dimension)))
        return float(0.5 * scale * min(np.sqrt(NOISES[self.noise]), 1.0))

    # -- telling ---------------------------------------------------------------------------------

    @on_one_thread
    def _observe(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        # Hundreds of them may lie where another search has crept along: too near each other for
        # this model, to which they look like noise, and in the place of what it has yet to learn.
        told = sorted(told_of(candidates, evaluations), key=lambda item: item[1])
        if told:
            self._check_residuals(told)
            rows = apart(told, APART * self._shortest, OBSERVED)
            self.archive.add(rows, 0)
            self.draws, self.opening = 0, None

    @on_one_thread
    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        told = told_of(candidates, evaluations)
        self.round_told += len(candidates)
        if told:
            self._check_residuals(told)
            if self.opening and self.opening.late:
                self.opening.refuse(candidates)
            if not (self.opening and self.opening.elsewhere):
                self.archive.add(told, self.centre)
            self._fitted = None
        elif not len(self.archive) and self.round_told >= self._batch:
            self.spread /= 2
            self.round_told = 0
        self._open(candidates, told)
        if self._stalled():
            assert self.opening is not None
            self.opening.look_again(self.asked, float(self.archive.losses.min()))

    def _stalled(self) -> bool:
        """Whether it is time to see if much of the way is left, and other places are worth a look."""
        ready = self.opening is not None and not self.opening.late and len(self.archive) > 0
        return ready and self.asked == self.told >= LATER * self._batch

    def _open(self, candidates: list[Candidate], told: list[Told]) -> None:
        """Note what the opening's vectors gave; when it is over, take steps of the size that it found."""
        opening = self.opening
        if opening is None or not opening.pending:
            return
        self._opened |= {item[0].id: item for item in told}
        numbers = [candidate.id for candidate in candidates]
        seen = [(candidate.id, loss, outputs) for candidate, loss, outputs in told]
        opening.tell(numbers, seen, alone=self.asked == opening.begun)
        if opening.pending or opening.probe is None or (opening.late and not opening.moved):
            return
        self._measure_in(opening.probe.spread)
        if opening.moved:  # what lies at other words would be taken for the centre, or for noise
            if opening.late:
                row = int(np.argmin(self.archive.losses))
                self.kept = self._better(row, float(self.archive.losses[row]))
                self._start()
            self.origin = opening.place
            self.archive.clear()
            self.archive.add([self._opened[n] for n in opening.kept if n in self._opened], 0)
            self.round_told = 0

    def _check_residuals(self, told: list[Told]) -> None:
        known = self.archive.R.shape[1] if len(self.archive) else len(told[0][2])
        for _, _, residuals in told:
            if len(residuals) != known:
                raise OptimizerError(
                    f"{self.name} was told {known} residuals and now {len(residuals)}: "
                    "their number must not change."
                )

    @on_one_thread
    def recommend(self) -> Candidate:
        best = super().recommend()
        if len(self.archive) < 2:
            return best if self.kept is None else Candidate(*self.kept[1:])
        if not self.noise and not self.noisy and self.kept is None:
            return best
        fitted = self._fit(tune=False)
        return Candidate(*self._better(fitted.centre, fitted.loss)[1:])
