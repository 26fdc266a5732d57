"""3D Gaussian splatting's `.ply`: one vertex per Gaussian, binary float32."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.files import write_atomic
from fourfold.scene.gaussians import Gaussians

# PLY's names of number types, old and new, as NumPy's.
_TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}
_HEADER_END = re.compile(rb"end_header\r?\n")
_MAX_HEADER_BYTES = 1 << 16


def write_ply(path: str | Path, gaussians: Gaussians) -> None:
    """Write Gaussians in the layout that 3DGS viewers read, whole or not at all.

    Properties: x y z, nx ny nz (zero), f_dc_0…2, f_rest_0… (all coefficients of red, then green,
    then blue), opacity (logit), scale_0…2 (log), rot_0…3 (wxyz), float32, little endian.

    Raises:
        OutputError: it cannot be written.
    """
    columns = _columns(gaussians.detach().to("cpu", torch.float32))
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(gaussians)}",
        *(f"property float {name}" for name in _property_names(gaussians.harmonics.shape[1])),
        "end_header",
    ]
    body = columns.numpy().astype("<f4").tobytes()
    write_atomic(path, ("\n".join(header) + "\n").encode("ascii") + body)


def read_ply(path: str | Path) -> Gaussians:
    """Read Gaussians from a 3DGS `.ply`, with its properties in any order.

    Normals and unknown properties are passed over.

    Raises:
        InputError: not such a file, a property missing, or fewer bytes than the header says.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", path=path) from error
    vertices = _read_vertices(path, data)
    names = vertices.dtype.names or ()
    rest = [name for name in names if name.startswith("f_rest_")]
    num_harmonics = _num_harmonics(path, len(rest))
    missing = [name for name in _property_names(num_harmonics, False) if name not in names]
    if missing:
        raise InputError(
            f"the property {missing[0]} is missing", path=path, expected="Gaussians in 3DGS layout"
        )
    return _gaussians(vertices, num_harmonics)


def _property_names(num_harmonics: int, normals: bool = True) -> list[str]:
    return [
        *("x", "y", "z"),
        *(("nx", "ny", "nz") if normals else ()),
        *(f"f_dc_{i}" for i in range(3)),
        *(f"f_rest_{i}" for i in range(3 * (num_harmonics - 1))),
        "opacity",
        *(f"scale_{i}" for i in range(3)),
        *(f"rot_{i}" for i in range(4)),
    ]


def _columns(gaussians: Gaussians) -> Float[Tensor, "N P"]:
    harmonics = gaussians.harmonics
    return torch.cat(
        (
            gaussians.means,
            torch.zeros_like(gaussians.means),
            harmonics[:, 0],
            harmonics[:, 1:].mT.flatten(1),  # channel by channel
            gaussians.logit_opacities.unsqueeze(1),
            gaussians.log_scales,
            gaussians.quaternions,
        ),
        dim=1,
    )


def _gaussians(vertices: np.ndarray, num_harmonics: int) -> Gaussians:
    def read(*names: str) -> Tensor:
        return torch.from_numpy(np.stack([vertices[n].astype(np.float32) for n in names], axis=1))

    first = read("f_dc_0", "f_dc_1", "f_dc_2").unsqueeze(1)
    rest = [f"f_rest_{i}" for i in range(3 * (num_harmonics - 1))]
    higher = read(*rest).unflatten(1, (3, num_harmonics - 1)).mT if rest else first[:, :0]
    return Gaussians(
        means=read("x", "y", "z"),
        quaternions=read("rot_0", "rot_1", "rot_2", "rot_3"),
        log_scales=read("scale_0", "scale_1", "scale_2"),
        logit_opacities=read("opacity").squeeze(1),
        harmonics=torch.cat((first, higher), dim=1),
    )


def _num_harmonics(path: Path, num_rest: int) -> int:
    count = num_rest // 3 + 1
    if num_rest % 3 or count not in (1, 4, 9, 16):
        raise InputError(
            f"{num_rest} f_rest properties", path=path, expected="0, 9, 24 or 45 of them"
        )
    return count


def _read_vertices(path: Path, data: bytes) -> np.ndarray:
    end = _HEADER_END.search(data, 0, _MAX_HEADER_BYTES)
    if not data.startswith(b"ply") or end is None:
        raise InputError("not a PLY file, or cut off in its header", path=path)
    kind, count = _parse_header(path, data[: end.start()].decode("ascii", "replace"))
    have, need = len(data) - end.end(), count * kind.itemsize
    if have < need:
        raise InputError(
            f"the file is cut off: {have} bytes of vertices",
            path=path,
            expected=f"{need} ({count} vertices of {kind.itemsize})",
        )
    return np.frombuffer(data, kind, count, end.end())


def _parse_header(path: Path, header: str) -> tuple[np.dtype, int]:
    """Read the byte order, the vertices' properties and their number; vertices must come first."""
    order, count, properties = "", -1, []
    elements = 0
    for words in (line.split() for line in header.splitlines()[1:]):
        match words:
            case ["format", name, _]:
                order = _BYTE_ORDERS.get(name, "")
            case ["element", name, number]:
                elements += 1
                if elements == 1 and name == "vertex" and number.isdigit():
                    count = int(number)
            case ["property", kind, name] if elements == 1 and kind in _TYPES:
                properties.append((name, _TYPES[kind]))
            case ["property", *_] if elements == 1:
                raise InputError(f"unreadable property: {' '.join(words)}", path=path)
    if not order or count < 0:
        raise InputError(
            "a PLY file of another kind", path=path, expected="binary, with its vertices first"
        )
    if len(dict(properties)) != len(properties):
        raise InputError("two properties of one name", path=path)
    return np.dtype([(name, order + kind) for name, kind in properties]), count
