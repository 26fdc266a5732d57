"""Mitsuba films a stage; rays through the pixel centres tell the truth about it."""

from dataclasses import replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.errors import MissingDependencyError
from fourfold.geometry import Camera
from fourfold.synthetic.denoising import denoise
from fourfold.synthetic.skinning import vertex_normals
from fourfold.synthetic.stage import Lamp, Panel, Stage, to_world

# The vectorised variants need an LLVM library of the right age and abort the whole process when
# it is not; this one needs nothing and traces the paths in C++ on all cores just as well.
_VARIANT = "scalar_rgb"
# light straight from a lamp or the sky, and after one bounce
_BOUNCES = 3
_ROUGHNESS, _SPECULAR = 0.55, 0.35
# normals only steer the filter: their edges may be rough
_NORMAL_SAMPLES = 4


def load_mitsuba() -> ModuleType:
    """Import Mitsuba and choose the variant that runs everywhere.

    Raises:
        MissingDependencyError: Mitsuba is not installed.
    """
    try:
        import mitsuba
    except ImportError as error:
        raise MissingDependencyError(
            "rendering a synthetic scene", package="mitsuba", extra="synthetic"
        ) from error
    mitsuba.set_variant(_VARIANT)
    # it warns in every picture that it rounds the number of samples up to a grid
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba


class FilmedScene:
    """One instant of a stage inside Mitsuba, in the world's frame.

    `vertices` holds the actors' vertices (N,3) in the world.
    """

    def __init__(self, stage: Stage, time: float) -> None:
        self._mi = load_mitsuba()
        self.vertices = [to_world(actor.vertices_at(time)) for actor in stage.actors]
        self._stage = stage
        self._scene = self._albedo if stage.glowing else _lit_scene(self._mi, stage, self.vertices)
        self._shapes = _shape_numbers(self._scene, len(stage.actors))

    @cached_property
    def _albedo(self) -> Any:
        """The surfaces shining in their own colours."""
        return _glowing_scene(
            self._mi, *_colors_look(self._stage, self.vertices), smooth=not self._stage.flat
        )

    @cached_property
    def _normals(self) -> Any:
        """The surfaces shining in the colours of their normals."""
        return _glowing_scene(self._mi, *_normals_look(self._stage, self.vertices))

    def photograph(self, camera: Camera, samples: int, seed: int) -> Float[np.ndarray, "H W 3"]:
        """Render the image, linear RGB, by path tracing with `samples` paths per pixel.

        The light on the surfaces is freed of noise (`denoise`), the surfaces' colours are not
        touched. A glowing stage has no noise: its surfaces show their own colours.
        """
        sampler = {"type": "multijitter", "sample_count": samples}
        if self._stage.glowing:
            return self._render(
                self._scene, camera, {"type": "path", "max_depth": 1}, sampler, seed
            )
        path = {"type": "path", "max_depth": _BOUNCES}
        noisy = self._render(self._scene, camera, path, sampler, seed)
        # the same places in every pixel: at edges reflectance and image mix alike
        flat = {"type": "path", "max_depth": 1}
        albedo = self._render(self._albedo, camera, flat, sampler, seed)
        sampler = {"type": "multijitter", "sample_count": _NORMAL_SAMPLES}
        normals = self._render(self._normals, camera, flat, sampler, seed)
        return denoise(noisy, albedo, normals) + albedo * np.array(self._stage.fill, np.float32)

    def survey(self, camera: Camera) -> tuple[Float[np.ndarray, "H W"], Int[np.ndarray, "H W"]]:
        """Measure the z-depth at every pixel's centre (0 for none), and see which actor is there.

        Actors are numbered as in the stage, -1 is the room.
        """
        aov = {"type": "aov", "aovs": "position:position,shape:shape_index"}
        # one sample, not jittered, falls on the pixel's centre
        sampler = {"type": "stratified", "sample_count": 1, "jitter": False}
        layers = self._render(self._scene, camera, aov, sampler, 0)
        pose = camera.camera_from_world.numpy()
        depth = layers[..., :3] @ pose[2, :3] + pose[2, 3]
        shape = np.rint(layers[..., 3]).astype(np.int64)
        actor = np.full(shape.shape, -1)
        for k, number in enumerate(self._shapes):
            actor[shape == number] = k
        return np.where(shape > 0, depth, 0.0).astype(np.float32), actor

    def sees(
        self, camera: Camera, points: Float[np.ndarray, "N 3"], slack: float
    ) -> Bool[np.ndarray, "N"]:
        """Tell which world points nothing hides from the camera, up to `slack` scene units."""
        origin = camera.position.numpy().astype(np.float64)
        free = np.zeros(len(points), bool)
        for n, point in enumerate(points):
            distance = float(np.linalg.norm(point - origin))
            direction = (point - origin) / distance
            ray = self._mi.Ray3f(list(origin), list(direction))
            ray.maxt = distance - slack
            free[n] = not self._scene.ray_test(ray)
        return free

    def _render(
        self, scene: Any, camera: Camera, integrator: dict, sampler: dict, seed: int
    ) -> Float[np.ndarray, "H W C"]:
        # The box filter keeps samples in their pixel. Others reach over the borders of Mitsuba's
        # blocks, which are added in the order in which threads finish: never twice the same.
        film = {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "rfilter": {"type": "box"},
            "component_format": "float32",
        }
        sensor = {
            "type": "perspective",
            "fov_axis": "y",
            "fov": camera.vertical_fov,
            "principal_point_offset_x": _offset(camera.intrinsics[0, 2], camera.width),
            "principal_point_offset_y": _offset(camera.intrinsics[1, 2], camera.height),
            "near_clip": 0.01,
            "far_clip": self._stage.reach,
            "to_world": self._mi.ScalarTransform4f(_mitsuba_pose(camera)),
            "film": film,
            "sampler": sampler,
        }
        load = self._mi.load_dict
        image = self._mi.render(scene, sensor=load(sensor), integrator=load(integrator), seed=seed)
        return np.asarray(image)


def _lit_scene(mi: ModuleType, stage: Stage, vertices: list[np.ndarray]) -> Any:
    plastic = {
        "type": "principled",
        "base_color": {"type": "mesh_attribute", "name": "vertex_color"},
        "roughness": _ROUGHNESS,
        "specular": _SPECULAR,
    }
    meshes = {
        f"actor_{k}": _mesh(mi, positions, actor.faces, actor.colors, "bsdf", plastic)
        for k, (actor, positions) in enumerate(zip(stage.actors, vertices, strict=True))
    }
    panels = {f"panel_{k}": _panel(mi, panel) for k, panel in enumerate(stage.room)}
    lamps = {f"lamp_{k}": _lamp(mi, lamp) for k, lamp in enumerate(stage.lamps)}
    sky = {"type": "constant", "radiance": _rgb(stage.sky)}
    return _load_scene(mi, {"sky": sky, **lamps, **panels, **meshes})


def _load_scene(mi: ModuleType, parts: dict[str, Any]) -> Any:
    # Mitsuba's optimiser groups the shapes by the addresses of their materials, and so shuffles
    # them. The lamps are numbered in the shapes' order, and drawn by number: with it the noise of
    # one seed would be another in every run.
    return mi.load_dict({"type": "scene", **parts}, optimize=False)


_Look = tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], list[Panel]]


def _colors_look(stage: Stage, vertices: list[np.ndarray]) -> _Look:
    """Give all surfaces coloured by their reflectance."""
    actors = zip(vertices, stage.actors, strict=True)
    return [(v, actor.faces, actor.colors) for v, actor in actors], list(stage.room)


def _normals_look(stage: Stage, vertices: list[np.ndarray]) -> _Look:
    """Give all surfaces coloured by their normal, in 0 … 1."""
    meshes = [
        (v, actor.faces, 0.5 + 0.5 * vertex_normals(v, actor.faces))
        for v, actor in zip(vertices, stage.actors, strict=True)
    ]
    panels = [
        replace(panel, texture=np.full((2, 2, 3), 0.5 + 0.5 * _normal(panel), np.float32))
        for panel in stage.room
    ]
    return meshes, panels


def _glowing_scene(
    mi: ModuleType,
    meshes: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    panels: list[Panel],
    *,
    smooth: bool = True,
) -> Any:
    """Let every surface shine in its own colour and reflect nothing."""
    glow = {
        "type": "area",
        "radiance": {"type": "mesh_attribute", "name": "vertex_color"},
    }
    shapes = {
        f"actor_{k}": _mesh(mi, *mesh, "emitter", glow, smooth) for k, mesh in enumerate(meshes)
    }
    for k, panel in enumerate(panels):
        light = {"type": "area", "radiance": _bitmap(mi, panel)}
        shapes[f"panel_{k}"] = {**_rectangle(mi, panel), "emitter": light}
    return _load_scene(mi, shapes)


def _shape_numbers(scene: Any, actors: int) -> list[int]:
    """Give the number that the shape layer shows for each actor: from 1, 0 is nothing."""
    names = [shape.id() for shape in scene.shapes()]
    return [names.index(f"actor_{k}") + 1 for k in range(actors)]


def _mitsuba_pose(camera: Camera) -> Float[np.ndarray, "4 4"]:
    """Give world_from_camera for Mitsuba's camera, which has x left and y up."""
    return camera.world_from_camera.double().numpy() @ np.diag([-1.0, -1.0, 1.0, 1.0])


def _offset(principal: Tensor, size: int) -> float:
    """Give how far Mitsuba has to move the image's middle from the axis, in image sizes."""
    return 0.5 - float(principal) / size


def _rgb(value: tuple[float, float, float]) -> dict[str, Any]:
    return {"type": "rgb", "value": list(value)}


def _mesh(
    mi: ModuleType,
    vertices: Float[np.ndarray, "N 3"],
    faces: Int[np.ndarray, "F 3"],
    colors: Float[np.ndarray, "N 3"],
    role: str,
    look: dict[str, Any],
    smooth: bool = True,
) -> Any:
    """Build a mesh with a colour per vertex; `look` is its "bsdf" or "emitter"."""
    properties = mi.Properties()
    properties[role] = mi.load_dict(look)
    mesh = mi.Mesh("", len(vertices), len(faces), has_vertex_normals=smooth, props=properties)
    mesh.add_attribute("vertex_color", 3, colors.astype(np.float32).ravel())
    values = mi.traverse(mesh)
    values["vertex_positions"] = vertices.astype(np.float32).ravel()
    if smooth:
        values["vertex_normals"] = vertex_normals(vertices, faces).astype(np.float32).ravel()
    values["faces"] = faces.astype(np.uint32).ravel()
    values.update()
    return mesh


def _normal(shape: Panel | Lamp) -> Float[np.ndarray, "3"]:
    normal = np.cross(to_world(np.array(shape.edge_u)), to_world(np.array(shape.edge_v)))
    return normal / np.linalg.norm(normal)


def _rectangle(mi: ModuleType, shape: Panel | Lamp) -> dict[str, Any]:
    corner, u, v = (
        to_world(np.array(edge, float)) for edge in (shape.corner, shape.edge_u, shape.edge_v)
    )
    matrix = np.eye(4)
    # Mitsuba's rectangle spans -1 … 1 and faces +z
    matrix[:3, 0], matrix[:3, 1] = u / 2, v / 2
    matrix[:3, 2], matrix[:3, 3] = _normal(shape), corner + u / 2 + v / 2
    return {"type": "rectangle", "to_world": mi.ScalarTransform4f(matrix)}


def _bitmap(mi: ModuleType, panel: Panel) -> dict[str, Any]:
    return {"type": "bitmap", "bitmap": mi.Bitmap(panel.texture), "raw": True}


def _panel(mi: ModuleType, panel: Panel) -> dict[str, Any]:
    paper = {"type": "diffuse", "reflectance": _bitmap(mi, panel)}
    return {**_rectangle(mi, panel), "bsdf": {"type": "twosided", "bsdf": paper}}


def _lamp(mi: ModuleType, lamp: Lamp) -> dict[str, Any]:
    return {**_rectangle(mi, lamp), "emitter": {"type": "area", "radiance": _rgb(lamp.radiance)}}
