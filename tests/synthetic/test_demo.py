"""The embedded example is small, whole, and hides its truth from methods."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fourfold.capture import open_capture
from fourfold.synthetic import NOVEL_VIEWS

FOLDER = Path(str(files("fourfold"))) / "data" / "demo" / "juggler"


@pytest.fixture(scope="module")
def capture():
    return open_capture(FOLDER)


def test_it_is_at_most_two_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 2_000_000


def test_it_gives_images_masks_and_cameras_only(capture):
    assert capture.channels == {"image", "mask", "camera"}
    assert (capture.width, capture.height, len(capture.frames)) == (288, 180, 20)
    for frame in range(len(capture.frames)):
        assert capture.image(frame).shape == (180, 288, 3)
        assert (capture.masks(frame).flatten(1).sum(1) > 1000).all()
        assert capture.camera(frame) is not None


def test_its_truth_is_whole(capture):
    truth = capture.truth
    tracks = truth.tracks()
    assert tracks.points.shape == (20, 512, 3)
    views = list(truth.novel_views())
    assert len(views) == 5 * len(NOVEL_VIEWS)
    assert all(view.image().shape == (180, 288, 3) for view in views)
    assert [frame for frame in range(20) if truth.depth(frame) is not None] == [0, 4, 8, 12, 16]


def test_the_objects_change_places(capture):
    assert capture.truth.order(0) == ("juggler", "dog")
    assert capture.truth.order(19) == ("dog", "juggler")


def test_each_object_hides_a_part_of_the_other(capture):
    tracks = capture.truth.tracks()

    def hidden_share(frame: int, hidden: int) -> float:
        x, y = tracks.pixels[frame].long().unbind(-1)
        other = capture.masks(frame)[1 - hidden][y, x]
        return (other & ~tracks.visible[frame])[tracks.objects == hidden].float().mean().item()

    juggler, dog = ([hidden_share(frame, k) for frame in range(20)] for k in (0, 1))
    assert 0.1 < np.mean(dog[:5]) < 0.4
    assert np.mean(juggler[:5]) < 0.01
    assert 0.1 < np.mean(juggler[-5:]) < 0.4
    assert np.mean(dog[-5:]) < 0.01
