"""Every row of a table of opinions beside a plain script, on people's own data in the open form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, wasserstein_distance

from blackbox_align.assessment import score
from tests.assessment.reading import engine

OPTIONS, KNOWN, N = ("low", "mid", "high"), 6, 14
FITTED = ("mixture of other countries", "un-prompted, fitted temperature", "un-prompted, corrected")


def shares():
    """(3 countries, 14 questions, 3 options) in thousandths."""
    drawn = np.random.default_rng(3).dirichlet([2.0, 1.5, 1.0], size=(3, N)).round(3)
    drawn[..., -1] = 1 - drawn[..., :-1].sum(-1)
    return drawn


def by_number(asked):
    """An answer that depends on the question and on whether Kenya is named, whatever the order."""
    number = int(asked.text.split()[2].rstrip("?"))
    favour = 3.0 if "Kenya" in asked.preamble else 1.0
    weights = {"low": 1 + number % 3, "mid": 2.0, "high": favour * (1 + number % 2)}
    total = sum(weights.values())
    return [weights[option] / total for option in asked.options.values()]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Kenya's table with six questions known, all rotations, and the file's shares."""
    rows = ["item,question,option,country,share,ordered"]
    for country, table in zip(("Kenya", "Ghana", "Brazil"), shares(), strict=True):
        rows += [
            f"q{n:02d},How about {n}?,{option},{country},{share:.3f},yes"
            for n, given in enumerate(table)
            for option, share in zip(OPTIONS, given, strict=True)
        ]
    path = tmp_path_factory.mktemp("data") / "own.csv"
    path.write_text("\n".join(rows))
    return score(path, country="KEN", conditions=["none", "icl", "answers"], known=KNOWN,
                 orders="cyclic", engine=engine(by_number), resamples=50)  # fmt: skip


def plain_rows(known):
    """By name, (14, 3) answers as a plain script makes them."""
    own, *others = shares()
    others = np.array(others)
    model = np.array([by_number(Asked(n)) for n in range(N)])
    named = np.array([by_number(Asked(n, "Kenya")) for n in range(N)])
    here = [n for n in range(N) if n in known]
    smooth = 0.99 * others[:, here] + 0.01 / 3

    def unlikely(w):
        mixed = w * smooth[0] + (1 - w) * smooth[1]
        return 30 * entropy(own[here], mixed, axis=1).sum() - (np.log(w) + np.log(1 - w)) / 2

    exact = {"ftol": 1e-15, "gtol": 1e-12}
    w = minimize(lambda x: unlikely(x[0]), [0.5], bounds=[(1e-9, 1 - 1e-9)], options=exact).x[0]

    def correct(at):
        scores = np.exp(at[0] * np.log(model) + at[1:])
        return scores / scores.sum(1, keepdims=True)

    def off(at):
        far = at - [1, 0, 0, 0]
        return entropy(own[here], correct(at)[here], axis=1).sum() + far @ far / 2

    at = minimize(off, [1.0, 0, 0, 0], method="Nelder-Mead",
                  options={"xatol": 1e-11, "fatol": 1e-15, "maxiter": 9999, "maxfev": 9999}).x  # fmt: skip
    sharp = []
    for t in np.geomspace(0.1, 100, 61):
        p = model ** (1 / t)
        p /= p.sum(1, keepdims=True)
        sharp.append((jensenshannon(p[here], own[here], axis=1).mean(), p))
    return {
        "none": model,
        "icl": named,
        "uniform": np.full((N, 3), 1 / 3),
        "people's likeliest answer": np.eye(3)[own.argmax(1)],
        "mean of other countries": others.mean(0),
        "mixture of other countries": w * others[0] + (1 - w) * others[1],
        "un-prompted, fitted temperature": min(sharp, key=lambda pair: pair[0])[1],
        "un-prompted, corrected": correct(at),
    }


class Asked:
    """What :func:`by_number` looks at."""

    def __init__(self, number, preamble=""):
        self.text, self.preamble = f"How about {number}?", preamble
        self.options = dict(zip("ABC", OPTIONS, strict=True))


def test_every_row_is_that_of_a_plain_script_to_a_millionth(scored):
    """JS distance, earth mover's, SimBench's score, variances, entropies: on the questions held out."""
    known = {int(item[1:]) for item in scored.provenance.fitted_items}
    assert len(known) == KNOWN and scored.split == "held-out"
    out = [n for n in range(N) if n not in known]
    own, places = shares()[0][out], np.arange(3) / 2
    even = np.abs(own - 1 / 3).sum(1) / 2
    variance = [np.cov(places, aweights=q, ddof=0) for q in own]
    for name, answers in plain_rows(known).items():
        p = answers[out]
        expected = {
            "js_distance_nats": jensenshannon(p, own, axis=1).mean(),
            "earth_movers_distance": np.mean(
                [wasserstein_distance(places, places, a, b) for a, b in zip(p, own, strict=True)]
            ),
            "simbench_score": 100 * (1 - (np.abs(p - own).sum(1) / 2).mean() / even.mean()),
            "variance_ratio": np.sum([np.cov(places, aweights=a, ddof=0) for a in p]) / np.sum(variance),
            "entropy_nats": entropy(p, axis=1).mean(),
            "peoples_entropy_nats": entropy(own, axis=1).mean(),
            "worth_in_people": (1 - (own**2).sum(1)).sum() / ((p - own) ** 2).sum(),
        }  # fmt: skip
        for metric, value in expected.items():
            scale = max(1.0, abs(value))
            found = scored.value(name, metric, "KEN")
            assert found == pytest.approx(value, abs=1e-6 * scale), (name, metric)


def test_the_floor_is_the_mean_over_other_samples(scored):
    """Two hundred samples of 1,000 people, drawn as a plain script draws them."""
    known = {int(item[1:]) for item in scored.provenance.fitted_items}
    own = shares()[0]
    drawn = (
        np.random.default_rng(0).multinomial(1000, own / own.sum(1, keepdims=True), size=(200, N))
        / 1000
    )
    distance = np.array(
        [[jensenshannon(a, q) for a, q in zip(one, own, strict=True)] for one in drawn]
    )
    out = [n for n in range(N) if n not in known]
    floor = scored.value("people's sampling noise", "js_distance_nats", "KEN")
    assert floor == pytest.approx(distance[:, out].mean(), abs=1e-6)


def test_known_answers_stand_in_the_text_and_no_others(scored):
    """Condition `answers` is asked, and the notes say how many questions are known."""
    assert scored.value("answers", "js_distance_nats", "KEN") > 0
    assert f"{KNOWN} questions count as known, drawn from seed 0." in scored.notes
    differences = {d.minus for d in scored.differences if d.condition == "icl"}
    assert set(FITTED) <= differences and "people's sampling noise" not in differences
    assert all(0 < d.p <= 1 for d in scored.differences if d.n and not np.isnan(d.value))
