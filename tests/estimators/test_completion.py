import torch

from fourfold.estimators import complete, fill_unseen
from tests.estimators.scenes import texture


def holed(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    known = torch.ones(picture.shape[:2], dtype=torch.bool)
    known[40:62, 60:84] = False
    image = picture.clone()
    image[~known] = torch.nan
    return image, known


def test_a_repeating_pattern_is_continued():
    """Stripes of 8 px: the smooth fill is grey, the pieces put the stripes back."""
    columns = torch.arange(140)
    stripes = (columns % 8 < 4).float()[None, :, None].expand(100, 140, 3)
    image, known = holed(stripes)
    smooth = fill_unseen(image, known)
    filled = complete(image, known, smooth)
    assert torch.equal(filled[known], image[known])
    assert (smooth - stripes)[~known].abs().mean() > 0.3
    assert (filled - stripes)[~known].abs().mean() < 0.05


def test_the_grain_goes_on():
    """The fill of a random texture varies like the texture, where a smooth fill is flat."""
    image, known = holed(texture(100, 140))
    smooth = fill_unseen(image, known)
    filled = complete(image, known, smooth)

    def grain(picture: torch.Tensor) -> torch.Tensor:
        return picture[42:60, 62:82].diff(dim=1).abs().mean()

    assert grain(filled) > 1.6 * grain(smooth)
    assert filled.min() >= 0
    assert filled.max() <= 1


def test_completion_repeats_exactly():
    image, known = holed(texture(100, 140))
    smooth = fill_unseen(image, known)
    assert torch.equal(complete(image, known, smooth), complete(image, known, smooth))


def test_nothing_to_do_and_nothing_to_go_by():
    picture = texture(30, 40)
    everything = torch.ones(30, 40, dtype=torch.bool)
    assert torch.equal(complete(picture, everything, picture), picture)
    grey = torch.full_like(picture, 0.5)
    assert torch.equal(complete(picture, ~everything, grey), grey)


def test_pieces_come_from_the_sources_alone():
    """The hole lies between red and green; green is known, but only red may be taken."""
    image = torch.zeros(100, 140, 3)
    image[:, :50, 0], image[:, 50:, 1] = 0.8, 0.8
    known = torch.ones(100, 140, dtype=torch.bool)
    known[40:62, 45:75] = False
    red = known & (torch.arange(140) < 50)
    smooth = fill_unseen(image, red)
    filled = complete(image, known, smooth, sources=red)
    assert (filled[~known] - torch.tensor([0.8, 0.0, 0.0])).abs().max() < 0.05
    assert torch.equal(filled[known], image[known])
