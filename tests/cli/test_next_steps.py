"""Commands that follow: they read the capture as it was read before."""

from pathlib import Path

from fourfold.cli.commands import Train
from fourfold.cli.main import parse
from fourfold.cli.next_steps import after_demo, after_sfm, option_words, outputs_of
from fourfold.verbs.options import CaptureOptions

OPTIONS = CaptureOptions(frames="2:9", masks=Path("my masks"), fps=12.5, cameras=Path("lens.json"))


def test_given_options_become_words_again():
    words = ["--frames", "2:9", "--fps", "12.5", "--cameras", "lens.json", "--masks", "my masks"]
    assert option_words(OPTIONS) == words
    assert option_words(OPTIONS, "masks", "cameras") == ["--frames", "2:9", "--fps", "12.5"]
    assert option_words(CaptureOptions()) == []


def test_trainings_read_the_clip_as_sfm_did():
    osn, dreamscene4d = after_sfm(Path("a clip.mp4"), OPTIONS, Path("sfm"), ())
    assert osn == (
        "fourfold train osn 'a clip.mp4' --frames 2:9 --fps 12.5 --cameras lens.json "
        "--masks 'my masks' --bodies sfm --out RUN"
    )
    assert dreamscene4d == (
        "fourfold train dreamscene4d 'a clip.mp4' --frames 2:9 --fps 12.5 --masks 'my masks' "
        "--cameras sfm/cameras.json --out RUN"
    )


def test_the_words_are_understood():
    command = parse(["train", "osn", "clip", *option_words(OPTIONS), "--out", "RUN"])
    assert isinstance(command, Train)
    assert command.options == OPTIONS


def test_cameras_with_gaps_are_not_recommended():
    (only,) = after_sfm(Path("clip"), CaptureOptions(), Path("sfm"), ["003"])
    assert only == "fourfold train osn clip --bodies sfm --out RUN"


def test_the_outputs_that_a_demo_proposes():
    assert outputs_of("osn") == "rgb,depth,objects,flow,tracks"
    assert outputs_of("mixvoxels") == "rgb,depth,static,moving"


def test_after_a_demo_comes_ones_own_input():
    (clip,) = after_demo("dreamscene4d")
    assert clip == "fourfold train dreamscene4d YOUR_CLIP --out runs/clip"
    prepare, rigid = after_demo("osn")
    assert prepare == "fourfold prepare sfm YOUR_CLIP --out bodies"
    assert rigid == "fourfold train osn YOUR_CLIP --bodies bodies --out runs/clip"
    draw, train = after_demo("mom")
    assert draw.startswith("fourfold prepare draw YOUR_PHOTO")
    assert train == "fourfold train mom drawn --out runs/photo"
    (rig,) = after_demo("mixvoxels")
    assert rig == "fourfold train mixvoxels YOUR_RIG --depth sweep --out runs/rig"
