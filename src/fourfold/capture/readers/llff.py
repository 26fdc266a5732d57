"""Layout "llff": `images/` and `poses_bounds.npy`: a still scene from many views, one row each.

Pictures are in natural order of their names, as the rows are. With a COLMAP model beside them they
are layout "colmap", which knows each lens.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fourfold.capture.images import image_size, read_image
from fourfold.capture.names import has_images, list_images
from fourfold.capture.poses_bounds import FILE, read_poses_bounds, rig_cameras
from fourfold.capture.readers.folder import DEFAULT_FPS
from fourfold.capture.source import ReadOptions, Source
from fourfold.capture.static_views import ONLY_FRAME, every_eighth
from fourfold.errors import InputError

LAYOUT = "llff"
_PICTURES = "images"


def recognises(path: Path) -> bool:
    """Say whether the folder holds `poses_bounds.npy` and `images`."""
    return (path / FILE).is_file() and has_images(path / _PICTURES)


def read(path: Path, options: ReadOptions) -> Source:
    """Read pictures as views of one frame; a selection of frames is one of pictures.

    Raises:
        InputError: pictures or the file are damaged, or there are not as many of both.
    """
    paths = list_images(path / _PICTURES)
    rows = read_poses_bounds(path / FILE)
    if len(rows) != len(paths):
        raise InputError(
            f"{len(rows)} rows for {len(paths)} pictures",
            path=path / FILE,
            expected="a row for each picture, in natural order of their names",
        )
    by_view = dict(zip(paths, rows, strict=True))
    views = options.selection.pick(list(paths), path)
    sizes = {view: image_size(paths[view], view) for view in views}
    rig = rig_cameras(
        path / FILE,
        {view: by_view[view] for view in views},
        sizes,
        lambda view: read_image(paths[view], view),
    )
    return Source(
        layout=LAYOUT,
        views=views,
        frames=(ONLY_FRAME,),
        timestamps=(0.0,),
        fps=options.fps or DEFAULT_FPS,
        sizes=sizes,
        images={(view, ONLY_FRAME): partial(read_image, paths[view], view) for view in views},
        cameras={(view, ONLY_FRAME): rig.cameras[view] for view in views},
        known_frames=frozenset({ONLY_FRAME}),
        held_out_views=every_eighth(views),
        image_files={(view, ONLY_FRAME): paths[view] for view in views},
        bounds=rig.bounds,
        poses_from=rig.poses_from,
        files=(*(paths[view] for view in views), path / FILE),
        notes=rig.notes,
    )
