"""Semi-global matching on cost volumes whose answer is plain."""

import numpy as np

from fourfold.estimators import smooth_planes

SHAPE = (9, 12)
GREY = np.full((*SHAPE, 3), 0.5, np.float32)
ALL = np.ones(SHAPE, bool)


def costs_of(planes: np.ndarray, count: int = 8, weight: float = 1.0) -> np.ndarray:
    """A cost that grows with the distance to a plane."""
    away = np.abs(np.arange(count) - planes[..., None])
    return (weight * np.minimum(away, 3)).astype(np.float32)


def test_a_plain_answer_is_kept():
    planes = np.full(SHAPE, 3.0)
    np.testing.assert_array_equal(smooth_planes(costs_of(planes), GREY, ALL), planes)


def test_between_planes_the_parabola_decides():
    away = np.arange(8) - np.full(SHAPE, 3.25)[..., None]
    found = smooth_planes((away**2).astype(np.float32), GREY, ALL)
    # what a step costs draws a little towards the plane
    assert ((found > 3.1) & (found <= 3.25)).all()


def test_where_nothing_is_known_the_surroundings_decide():
    costs = costs_of(np.full(SHAPE, 5.0))
    costs[3:6, 4:8] = 1.0
    np.testing.assert_allclose(smooth_planes(costs, GREY, ALL), 5.0, atol=0.3)


def test_an_outlier_yields_and_an_edge_in_colour_stays():
    planes = np.full(SHAPE, 2.0)
    planes[4, 5] = 7.0
    assert smooth_planes(costs_of(planes), GREY, ALL)[4, 5] < 3
    planes = np.full(SHAPE, 2.0)
    planes[:, 6:] = 7.0
    image = GREY.copy()
    image[:, 6:] = 0.9
    np.testing.assert_allclose(smooth_planes(costs_of(planes), image, ALL), planes, atol=0.3)


def test_nothing_passes_through_what_is_not_seen():
    seen = ALL.copy()
    seen[:, 6] = False
    costs = np.ones((*SHAPE, 8), np.float32)
    costs[:, :6] = costs_of(np.full((9, 6), 1.0))
    costs[:, 8:] = costs_of(np.full((9, 4), 6.0), weight=0.5)
    found = smooth_planes(costs, GREY, seen)
    np.testing.assert_allclose(found[:, 7], 6.0, atol=0.3)


def test_two_planes_are_enough():
    costs = np.zeros((*SHAPE, 2), np.float32)
    costs[..., 0] = 1.0
    np.testing.assert_array_equal(smooth_planes(costs, GREY, ALL), 1.0)
