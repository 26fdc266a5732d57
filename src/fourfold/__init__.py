"""From a video, a photo or many cameras to a dynamic 3D scene, on a laptop.

Every verb of the command line is a function here:

    import fourfold as ff

    run = ff.train("dreamscene4d", ff.open_capture("clip/"), out="runs/clip")
    ff.render(run)
    ff.eval(run)

Names are looked up when first used, so `import fourfold` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "demo": "fourfold.verbs",
    "draw": "fourfold.verbs",
    "eval": "fourfold.verbs",
    "export": "fourfold.verbs",
    "info": "fourfold.verbs",
    "prepare": "fourfold.verbs",
    "prepare_poses": "fourfold.verbs",
    "render": "fourfold.verbs",
    "sample": "fourfold.verbs",
    "synth": "fourfold.verbs",
    "train": "fourfold.verbs",
    "Capture": "fourfold.capture",
    "open_capture": "fourfold.capture",
    "photo_capture": "fourfold.capture",
    "Camera": "fourfold.geometry",
    "Gaussians": "fourfold.scene",
    "Scene": "fourfold.scene",
    "SceneObject": "fourfold.scene",
    "Run": "fourfold.training",
    "FourfoldError": "fourfold.errors",
    "InputError": "fourfold.errors",
}

# Written out once more because type checkers read it and do not compute.
__all__ = [
    "__version__",
    "demo",
    "draw",
    "eval",
    "export",
    "info",
    "prepare",
    "prepare_poses",
    "render",
    "sample",
    "synth",
    "train",
    "Capture",
    "open_capture",
    "photo_capture",
    "Camera",
    "Gaussians",
    "Scene",
    "SceneObject",
    "Run",
    "FourfoldError",
    "InputError",
]

if TYPE_CHECKING:
    from fourfold.capture import Capture, open_capture, photo_capture
    from fourfold.errors import FourfoldError, InputError
    from fourfold.geometry import Camera
    from fourfold.scene import Gaussians, Scene, SceneObject
    from fourfold.training import Run
    from fourfold.verbs import (
        demo,
        draw,
        eval,
        export,
        info,
        prepare,
        prepare_poses,
        render,
        sample,
        synth,
        train,
    )


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fourfold' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
