"""How the default search opens: it starts where steps move most, if all places but one are nearly still."""

import numpy as np
import pytest

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import Evaluation, create

D = 60
J = np.random.default_rng(1).standard_normal((4, D)) / np.sqrt(D)
PLACES = 4.0 * np.random.default_rng(2).standard_normal((5, D))


def outputs_at(vector, lively):
    """Four outputs that hardly move, but for around one of the places."""
    nearest = np.linalg.norm(PLACES - vector, axis=1).argmin()
    share = 3.0 if nearest == lively and np.linalg.norm(vector) > 8 else 0.01
    return 20.0 + share * J @ (vector - PLACES[nearest])


def searched(lively, told, places=PLACES, failing=()):
    optimizer = create("gauss-newton", D, np.random.default_rng(0))
    if places is not None:
        optimizer.offer(places)
    while optimizer.told < told:
        candidates = optimizer.ask(min(optimizer.batch, told - optimizer.told))
        given = []
        for candidate in candidates:
            residuals = outputs_at(candidate.vector, lively)
            ok = candidate.id not in failing
            given.append(
                Evaluation(abs(residuals).mean(), residuals) if ok else Evaluation.failed("no")
            )
        optimizer.tell(candidates, given)
    return optimizer


def test_it_starts_at_the_place_where_a_step_moves_most():
    """Five evaluations at the first, two at each of five others, three more where it starts."""
    optimizer = searched(3, 18)
    assert np.array_equal(optimizer.origin, PLACES[3]) and optimizer.opening.begun == 18
    assert len(optimizer.archive) == 5 and optimizer.probe.leverage > 1
    after = searched(3, 60)
    centre = after.archive.Z[after.centre]
    assert np.linalg.norm(centre - PLACES[3]) < np.linalg.norm(PLACES[3])
    assert after.recommend().vector is not None and after._best[1] < 15


def test_without_a_place_on_offer_and_where_the_way_is_short_nothing_more_is_asked():
    """The probe of five evaluations alone opens the search."""
    assert searched(3, 5, places=None).opening.begun == 5
    optimizer = create("gauss-newton", D, np.random.default_rng(0))
    optimizer.offer(PLACES)
    candidates = optimizer.ask()
    near = [J @ candidate.vector + 0.5 for candidate in candidates]
    optimizer.tell(candidates, [Evaluation(abs(r).mean(), r) for r in near])
    assert optimizer.opening.begun == 5 and not optimizer.origin.any()


def test_a_place_that_cannot_be_evaluated_is_not_taken():
    """Of the others the best is; where none is better, it starts where it began."""
    assert np.array_equal(searched(3, 18, failing=(12,)).origin, np.zeros(D)) or not np.array_equal(
        searched(3, 18, failing=(12,)).origin, PLACES[3]
    )


def test_a_fresh_start_goes_to_the_next_best_place():
    """Each place once; when all are used up, somewhere at random."""
    opening = searched(3, 18).opening
    taken = [opening.another() for _ in range(7)]
    found = [
        n
        for place in taken
        if place is not None
        for n in np.flatnonzero((place == PLACES).all(axis=1))
    ]
    assert 3 not in found and len(set(found)) == len(found) and taken[-1] is None


def test_places_are_offered_before_the_first_ask():
    """And are vectors of the search's dimension; who has no use for them takes them and starts at 0."""
    optimizer = create("random", D, np.random.default_rng(0))
    optimizer.offer(PLACES)
    with pytest.raises(OptimizerError, match=r"\(n, 60\)"):
        optimizer.offer(PLACES[:, :3])
    optimizer.ask(1)
    with pytest.raises(OptimizerError, match="before the first ask"):
        optimizer.offer(PLACES)


def test_a_search_that_opened_elsewhere_is_replayed_to_the_same_bits():
    """The opening is a function of the generator and of what was told."""
    one = searched(3, 30)
    other = create("gauss-newton", D, np.random.default_rng(0))
    other.offer(PLACES)
    past, again = [], create("gauss-newton", D, np.random.default_rng(0))
    again.offer(PLACES)
    while again.told < 30:
        candidates = again.ask(min(again.batch, 30 - again.told))
        given = [outputs_at(candidate.vector, 3) for candidate in candidates]
        evaluations = [Evaluation(abs(r).mean(), r) for r in given]
        again.tell(candidates, evaluations)
        past.append((np.stack([candidate.vector for candidate in candidates]), evaluations))
    other.replay(past)
    expected = [candidate.vector for candidate in one.ask()]
    assert np.array_equal([candidate.vector for candidate in other.ask()], expected)


def slow_outputs(vector):
    """A short way, as it seems at the start: what moves the outputs first does not bring them far."""
    near = 6.0 * np.tanh(4 * J @ vector) - 16.0
    return near if np.linalg.norm(vector - PLACES[3]) > 12 else near + 40 * J @ (vector - PLACES[3])


def second_look(evaluations, outputs=slow_outputs, places=PLACES):
    optimizer = create("gauss-newton", D, np.random.default_rng(0))
    optimizer.offer(places)
    past = []
    while optimizer.told < evaluations:
        candidates = optimizer.ask(min(optimizer.batch, evaluations - optimizer.told))
        given = [outputs(candidate.vector) for candidate in candidates]
        told = [Evaluation(abs(r).mean(), r) for r in given]
        optimizer.tell(candidates, told)
        past.append((np.stack([candidate.vector for candidate in candidates]), told))
    return optimizer, past


def test_a_search_that_is_still_far_after_many_steps_looks_at_other_places():
    """The way seemed short, so that it did not look before its first step; it goes on from where a step
    moves most, and gets there."""
    early, _ = second_look(150)
    assert early.opening.late and not early.opening.moved and early.opening.elsewhere
    found, _ = second_look(240)
    assert np.array_equal(found.origin, PLACES[3])
    assert found.recommend().id > 150 and found._best[1] < 0.5 * early._best[1]


def test_a_search_that_came_far_does_not_look_again():
    """Nor one without other places."""
    assert not second_look(156, lambda z: J @ z - 1.0)[0].opening.looked
    assert not second_look(156, places=np.empty((0, D)))[0].opening.looked


def test_a_record_of_a_search_that_did_not_look_goes_on_as_it_was():
    """The look is called off where other vectors were evaluated; the evaluations are kept."""
    _, past = second_look(192, places=np.empty((0, D)))
    again = create("gauss-newton", D, np.random.default_rng(0))
    again.offer(PLACES)
    again.replay(past)
    assert not again.opening.pending and not again.opening.moved and len(again.archive) == 192


NARROW = np.random.default_rng(3).standard_normal((400, 6)) * [5, 5, 1, 1, 0.2, 0.2]


def drawn(loss, examples, **options):
    """(n, 10, 6) candidates that are random parts of steps nearly alone, where the loss is this."""
    optimizer = create("gauss-newton", D, np.random.default_rng(0), explore=100.0, **options)
    optimizer.offer(PLACES[:0], examples)
    while optimizer.told < optimizer.opening.begun if optimizer.opening else not optimizer.told:
        candidates = optimizer.ask(1)
        residuals = J @ candidates[0].vector * 0.1 + loss
        optimizer.tell(candidates, [Evaluation(abs(residuals).mean(), residuals)])
    vectors = [candidate.vector for candidate in optimizer.ask(300)]
    return np.array(vectors).reshape(len(vectors), -1, 6), optimizer


@pytest.mark.parametrize("options", [{}, {"spread": 0.25}])
def test_on_a_short_way_steps_lie_as_the_examples_do(options):
    """The same length on average; a search without a probe of its own takes what it is offered."""
    vectors, optimizer = drawn(0.01, NARROW, **options)
    assert optimizer.probe is None or optimizer.probe.near
    spread = vectors.std(axis=(0, 1))
    assert np.all(spread[:2] > 3 * spread[2:4]) and np.all(spread[2:4] > 3 * spread[4:])
    plain, _ = drawn(0.01, None, **options)
    assert np.isclose((vectors**2).mean(), (plain**2).mean(), rtol=0.1)


def test_on_a_long_way_and_without_examples_no_direction_is_another():
    """What moves most bends as soon."""
    for vectors, optimizer in (drawn(9.0, NARROW), drawn(0.01, None)):
        spread = vectors.std(axis=(0, 1))
        assert spread.max() < 1.2 * spread.min()
        assert optimizer.probe.near == (optimizer.shape is None)


def test_examples_that_fit_no_block_are_refused():
    """As many columns as divide the dimension, two rows or more, finite; one word many times is no shape."""
    for wrong in (NARROW.repeat(2, axis=1)[:, :7], NARROW[:1], NARROW[0], NARROW * np.nan):
        with pytest.raises(OptimizerError, match=r"of a width that divides 60; not \("):
            create("gauss-newton", D, np.random.default_rng(0)).offer(PLACES, wrong)
    same, _ = drawn(0.01, np.ones((5, 6)))
    assert np.isfinite(same).all()
    create("de", D, np.random.default_rng(0)).offer(PLACES, NARROW)  # which has no use for them
