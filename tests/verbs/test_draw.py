"""The drawing page's server and desk, without a browser."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fourfold as ff
from fourfold.errors import InputError, UsageError
from fourfold.verbs.draw import DrawOptions, next_command
from fourfold.verbs.draw_desk import DrawingDesk
from fourfold.verbs.draw_server import DrawingServer

SQUARE = [[1.0, 1.0], [5.0, 1.0], [5.0, 4.0], [1.0, 4.0]]
MOTION = {"label": "motion_0", "points": SQUARE, "shape_type": "polygon"}
HINT = {"label": "hint_0", "points": [[2.0, 2.0], [4.0, 3.0]], "shape_type": "line"}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Make a photo of 8x6."""
    Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / "lake.png")
    return tmp_path / "lake.png"


class Client:
    """Talks to a server as a browser does, or as one should not."""

    def __init__(self, server: DrawingServer) -> None:
        self.port = int(server.server_address[1])

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, {**kind, **names})
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    def error(self, *request: Any, **headers: str) -> tuple[int, str]:
        status, body = self.ask(*request, **headers)
        return status, json.loads(body)["error"]


@pytest.fixture
def desk(photo: Path, tmp_path: Path) -> DrawingDesk:
    """Open the photo on a desk that writes to `out`."""
    return DrawingDesk.open(photo, tmp_path / "out", lambda file: None)


@pytest.fixture
def client(desk: DrawingDesk) -> Iterator[Client]:
    """Serve the desk."""
    with DrawingServer(desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()


def test_the_page_and_all_that_it_names_are_served(client: Client) -> None:
    status, page = client.ask("GET", "/")
    assert status == 200
    assert b"//" not in page.replace(b"<!doctype", b"")  # nothing from elsewhere
    for name in ("draw.js", "model.js", "view.js", "preview.js", "draw.css", "icon.svg"):
        assert client.ask("GET", f"/{name}")[0] == 200
    for name in ("/nothing", "/../draw.py", "/%2e%2e/draw.py", "/draw/"):
        assert client.ask("GET", name)[0] == 404


def test_the_state_and_the_photo(client: Client) -> None:
    state = json.loads(client.ask("GET", "/state")[1])
    assert state == {
        "photo": "lake",
        "width": 8,
        "height": 6,
        "shapes": [],
        "is_saved": False,
        "notes": [],
    }
    picture = Image.open(io.BytesIO(client.ask("GET", "/photo")[1]))
    assert picture.size == (8, 6)
    np.testing.assert_allclose(np.asarray(picture)[3, 4], [200, 100, 50], atol=3)


def test_saving_gives_a_capture(client: Client, photo: Path, tmp_path: Path) -> None:
    status, body = client.ask("POST", "/save", {"shapes": [MOTION, HINT]})
    assert status == 200
    file = tmp_path / "out" / "lake.json"
    assert json.loads(body) == {"saved": str(file), "next": next_command(file)}
    assert sorted(path.name for path in file.parent.iterdir()) == ["lake.json", "lake.png"]
    assert (file.parent / "lake.png").read_bytes() == photo.read_bytes()
    capture = ff.open_capture(file.parent)
    assert int(capture.masks(0).sum()) == 12
    assert capture.hints[0].velocity == (0.04, 0.02)
    # what labelme itself asks for
    stored = json.loads(file.read_text())
    assert (stored["imagePath"], stored["imageWidth"], stored["imageHeight"]) == ("lake.png", 8, 6)
    assert set(stored["shapes"][0]) >= {"label", "points", "group_id", "shape_type", "flags"}


def test_a_drawing_is_gone_on_with(photo: Path, tmp_path: Path, desk: DrawingDesk) -> None:
    desk.save({"shapes": [MOTION, HINT]})
    again = DrawingDesk.open(photo, tmp_path / "out", lambda file: None)
    state = again.page_state()
    assert state["is_saved"]
    assert [(s["label"], s["kind"]) for s in state["shapes"]] == [
        ("motion_0", "motion"),
        ("hint_0", "hint"),
    ]
    assert state["shapes"][0]["points"] == SQUARE
    # also from the drawing itself, in its own folder
    file = tmp_path / "out" / "lake.json"
    DrawingDesk.open(file, tmp_path / "out", lambda file: None).save({"shapes": [MOTION]})
    assert len(json.loads(file.read_text())["shapes"]) == 1


def test_what_the_page_does_not_show_is_kept(photo: Path, tmp_path: Path) -> None:
    tree = {"label": "tree", "points": SQUARE, "shape_type": "polygon", "group_id": 7}
    stroke = {"label": "motion_1", "points": [[0, 3], [4, 3], [8, 2]], "shape_type": "linestrip"}
    drawing = {"shapes": [tree, stroke, MOTION], "imageWidth": 16, "imageHeight": 12}
    photo.with_suffix(".json").write_text(json.dumps(drawing))
    desk = DrawingDesk.open(photo, tmp_path / "out", lambda file: None)
    assert [shape["label"] for shape in desk.page_state()["shapes"]] == ["motion_0"]
    stored = json.loads(desk.save({"shapes": [HINT]}).read_text())["shapes"]
    assert [shape["label"] for shape in stored] == ["hint_0", "motion_1", "tree"]
    assert stored[1]["points"] == [[0, 1.5], [2, 1.5], [4, 1]]
    assert stored[2]["group_id"] == 7
    assert stored[2]["points"] == [[x / 2, y / 2] for x, y in SQUARE]
    assert json.loads(photo.with_suffix(".json").read_text()) == drawing


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("request_", [("GET", "/state"), ("POST", "/save", {"shapes": []})])
def test_others_are_turned_away(client: Client, tmp_path: Path, request_, headers) -> None:
    status, message = client.error(*request_, **headers)
    assert status == 403
    assert "may" in message
    assert not (tmp_path / "out").exists()


def test_the_page_itself_is_not_turned_away(client: Client) -> None:
    for host in ("localhost", "127.0.0.1"):
        name = f"{host}:{client.port}"
        headers = {"Host": name, "Origin": f"http://{name}"}
        assert client.ask("POST", "/save", {"shapes": [MOTION]}, **headers)[0] == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "what was sent is not JSON"),
        (b"\xff\xfe", "what was sent is not JSON"),
        (b"[" * 100_000, "what was sent is not JSON"),
        ([], "not a drawing on a photo"),
        ({"shapes": [{"label": "motion"}]}, "points of shape 0 ('motion') are not readable"),
        ({"shapes": [{**MOTION, "points": SQUARE[:2]}]}, "polygon of 2 points"),
        ({"shapes": [{**HINT, "points": [[1, 1], [1, 1]]}]}, "no length"),
        ({"shapes": [{**MOTION, "label": "tree"}]}, "of a kind that the page does not draw"),
        ({"shapes": [{**MOTION, "shape_type": None}]}, "of a kind that the page does not draw"),
    ],
)
def test_what_cannot_be_saved_is_said(client: Client, tmp_path: Path, body, message) -> None:
    status, said = client.error("POST", "/save", body)
    assert status == 400
    assert message in said
    assert not (tmp_path / "out").exists()


def test_what_is_no_json_or_too_large(client: Client) -> None:
    assert client.error("POST", "/save", b"{}", Content_Type="text/plain")[0] == 415
    assert client.error("POST", "/save", b"{}", Content_Length="x")[0] == 411
    status, message = client.error("POST", "/save", b"", Content_Length=str(5 << 20))
    assert (status, message) == (413, "larger than 4 MB")
    assert client.error("POST", "/state", {})[0] == 404
    assert client.ask("PUT", "/save")[0] == 501


def test_a_disk_that_cannot_be_written(photo: Path, read_only_disk: Path) -> None:
    desk = DrawingDesk.open(photo, read_only_disk / "out", lambda file: None)
    with pytest.raises(InputError, match="cannot write: read-only file system"):
        desk.save({"shapes": [MOTION]})
    assert desk.state() == "nothing was saved"


def test_an_upright_copy_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    desk = DrawingDesk.open(tmp_path / "a.jpg", tmp_path / "out", lambda file: None)
    assert desk.size == (6, 8)
    assert Image.open(io.BytesIO(desk.shown_photo())).size == (6, 8)


def test_the_verb_says_where_the_page_is_and_what_was_saved(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    files: list[Path] = []

    def serve(server: DrawingServer) -> None:
        assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
        server.RequestHandlerClass.args[0].save({"shapes": [MOTION]})  # pyright: ignore
        raise KeyboardInterrupt

    opened: list[str] = []
    monkeypatch.setattr(DrawingServer, "serve_forever", serve)
    monkeypatch.setattr("webbrowser.open", opened.append)
    ff.draw(photo, out=tmp_path / "out", say=said.append, saved=files.append)
    assert files == [tmp_path / "out" / "lake.json"]
    assert said[0] == f"draw at {opened[0]} (Ctrl-C ends it)"
    assert said[-1].endswith(f"saved in {files[0]}")
    ff.draw(photo, out=tmp_path, options=DrawOptions(no_browser=True), say=said.append)
    assert len(opened) == 1


def test_ports_and_places_that_cannot_be_used(photo: Path, tmp_path: Path, client: Client) -> None:
    with pytest.raises(UsageError, match=r"the port \d+ cannot be used .*address already in use"):
        ff.draw(photo, out=tmp_path / "x", options=DrawOptions(port=client.port))
    with pytest.raises(UsageError, match="the port is 70000; expected 0 to 65535"):
        ff.draw(photo, out=tmp_path / "x", options=DrawOptions(port=70000))
    with pytest.raises(UsageError, match=r"lake\.png: is a file"):
        ff.draw(photo, out=photo)
    with pytest.raises(UsageError, match=r"made in the browser. Call fourfold\.draw"):
        ff.prepare("draw", photo, out=tmp_path / "x")
