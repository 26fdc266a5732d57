import pytest
import torch

from fourfold.estimators import detect_sky, find_horizon, guided_filter, snap_mask
from tests.estimators.landscapes import HEIGHT, HORIZON, WIDTH, house, rows, valley
from tests.estimators.scenes import texture

NOTHING = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)


def test_the_sky_is_the_gradient_above_the_grass():
    sky = detect_sky(valley())
    truth = rows(0, HORIZON) & ~house()
    assert float((sky & truth).sum() / (sky | truth).sum()) > 0.99


def test_rock_and_grass_are_no_sky():
    assert not detect_sky(valley()[HORIZON + 10 :]).any()
    assert not detect_sky(torch.tensor([0.6, 0.5, 0.3]) * texture(90, 120)).any()
    assert not detect_sky(torch.ones(4, 4, 3)).any()


def test_the_horizon_lies_between_sky_and_ground():
    image = valley(False)
    image[HORIZON : HORIZON + 30] = torch.tensor([0.45, 0.45, 0.5])  # mountains
    found = find_horizon(image, rows(0, HORIZON), rows(200, HEIGHT))
    assert found.row == pytest.approx(HORIZON + 30, abs=2)
    assert find_horizon(image, rows(0, HORIZON), rows(HORIZON, HEIGHT)).row == HORIZON


def test_without_sky_the_horizon_is_above_all_ground():
    image = valley()
    assert find_horizon(image, NOTHING, NOTHING).row == pytest.approx(0.4 * HEIGHT)
    assert find_horizon(image, NOTHING, rows(50, HEIGHT)).row < 50
    assert find_horizon(image, NOTHING, ~NOTHING).row < 0


def test_the_guided_filter_keeps_what_the_guide_explains():
    image = valley()
    assert torch.allclose(
        guided_filter(torch.full((HEIGHT, WIDTH), 0.3), image, 8), torch.tensor(0.3), atol=1e-5
    )
    even = torch.zeros(60, 60, 3)
    noise = texture(60, 60)[..., 0]
    smooth = guided_filter(noise, even, 8)
    assert float(smooth[20:40, 20:40].std()) < 0.3 * float(noise[20:40, 20:40].std())


def test_a_mask_drawn_beside_an_edge_moves_onto_it():
    image = valley()
    truth = house() & rows(HORIZON + 10, HEIGHT)
    drawn = torch.zeros_like(truth)
    drawn[93:178, 103:158] = True  # two to three pixels inside
    snapped = snap_mask(drawn, image, 6)
    off = (snapped ^ truth)[100:170]
    assert int((drawn ^ truth)[100:170].sum()) == 5 * 70
    assert int(off.sum()) < 0.25 * 5 * 70
    assert torch.equal(snap_mask(drawn, image, 0), drawn)
