"""The 3DGS `.ply`: its layout byte by byte, round trips, and files that are not one."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.scene import Gaussians, read_ply, write_ply

MakeGaussians = Callable[..., Gaussians]


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_the_round_trip_is_bit_exact(make_gaussians: MakeGaussians, tmp_path: Path, degree: int):
    gaussians = make_gaussians(7, degree=degree)
    write_ply(tmp_path / "a.ply", gaussians)
    back = read_ply(tmp_path / "a.ply")
    for name, tensor in gaussians.tensors().items():
        assert torch.equal(back.tensors()[name], tensor), name


def test_the_layout_is_that_of_3dgs(tmp_path: Path):
    harmonics = torch.arange(12.0).view(1, 4, 3)  # row k holds red, green, blue of harmonic k
    gaussians = Gaussians(
        means=torch.tensor([[100.0, 101.0, 102.0]]),
        quaternions=torch.tensor([[200.0, 201.0, 202.0, 203.0]]),
        log_scales=torch.tensor([[300.0, 301.0, 302.0]]),
        logit_opacities=torch.tensor([400.0]),
        harmonics=harmonics,
    )
    write_ply(tmp_path / "a.ply", gaussians)
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n")
    lines = header.decode().splitlines()
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "element vertex 1"]
    names = [line.removeprefix("property float ") for line in lines[3:]]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *(f"f_rest_{i}" for i in range(9)),
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    # the rest: red of harmonics 1, 2, 3, then green, then blue
    expected = [100, 101, 102, 0, 0, 0, 0, 1, 2, 3, 6, 9, 4, 7, 10, 5, 8, 11]
    expected += [400, 300, 301, 302, 200, 201, 202, 203]
    assert list(struct.unpack("<26f", body)) == expected


def write_raw(path: Path, header: str, body: bytes) -> Path:
    path.write_bytes(header.encode() + body)
    return path


def test_other_orders_types_and_extra_properties_are_read(tmp_path: Path):
    names = [*"zyx", "rot_0", "rot_1", "rot_2", "rot_3", "scale_0", "scale_1", "scale_2"]
    names += ["f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    properties = "".join(f"property double {name}\r\n" for name in names)
    header = (
        "ply\r\nformat binary_big_endian 1.0\r\ncomment made by hand\r\nelement vertex 2\r\n"
        f"{properties}property uchar red\r\nelement face 0\r\n"
        "property list uchar int vertex_indices\r\nend_header\r\n"
    )
    row = struct.pack(">14dB", *range(14), 255)
    gaussians = read_ply(write_raw(tmp_path / "a.ply", header, row + row))
    assert gaussians.means.tolist() == [[2.0, 1.0, 0.0]] * 2
    assert gaussians.quaternions.tolist() == [[3.0, 4.0, 5.0, 6.0]] * 2
    assert gaussians.logit_opacities.tolist() == [13.0, 13.0]


@pytest.mark.parametrize("missing", [1, 4, 100])
def test_a_truncated_file_says_how_much_is_there(
    make_gaussians: MakeGaussians, tmp_path: Path, missing: int
):
    path = tmp_path / "a.ply"
    write_ply(path, make_gaussians(3))
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(InputError) as caught:
        read_ply(path)
    have, need = 3 * 17 * 4 - missing, 3 * 17 * 4
    assert str(caught.value) == (
        f"{path}: the file is cut off: {have} bytes of vertices; "
        f"expected {need} (3 vertices of {17 * 4})."
    )


BROKEN = {
    "nothing in it": ("", "not a PLY file"),
    "another kind of file": ("{}\nend_header\n", "not a PLY file"),
    "cut off in the header": ("ply\nformat binary_little_endian 1.0\nelement ver", "cut off"),
    "text": ("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", "expected binary"),
    "no vertices": ("ply\nformat binary_little_endian 1.0\nend_header\n", "vertices first"),
    "a list of numbers": (
        "ply\nformat binary_little_endian 1.0\nelement vertex 1\n"
        "property list uchar int x\nend_header\n",
        "unreadable property: property list uchar int x",
    ),
    "a mesh": (
        "ply\nformat binary_little_endian 1.0\nelement vertex 0\n"
        "property float x\nproperty float y\nproperty float z\nend_header\n",
        "the property f_dc_0 is missing; expected Gaussians in 3DGS layout",
    ),
    "odd harmonics": (
        "ply\nformat binary_little_endian 1.0\nelement vertex 0\n"
        "property float f_rest_0\nend_header\n",
        "1 f_rest properties; expected 0, 9, 24 or 45",
    ),
    "a property twice": (
        "ply\nformat binary_little_endian 1.0\nelement vertex 0\n"
        "property float x\nproperty float x\nend_header\n",
        "two properties of one name",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_are_not_gaussians(tmp_path: Path, kind: str):
    content, says = BROKEN[kind]
    with pytest.raises(InputError) as caught:
        read_ply(write_raw(tmp_path / "a.ply", content, b""))
    assert says in str(caught.value)
    assert "a.ply" in str(caught.value)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(InputError, match="No such file"):
        read_ply(tmp_path / "a.ply")


def test_no_gaussians_at_all_is_a_file_too(make_gaussians: MakeGaussians, tmp_path: Path):
    write_ply(tmp_path / "a.ply", make_gaussians(0))
    assert len(read_ply(tmp_path / "a.ply")) == 0


def test_what_is_read_can_be_trained(make_gaussians: MakeGaussians, tmp_path: Path):
    write_ply(tmp_path / "a.ply", make_gaussians(2))
    means = read_ply(tmp_path / "a.ply").means
    means += 1.0  # writable, and not a view into the file
    assert np.isfinite(means.numpy()).all()
