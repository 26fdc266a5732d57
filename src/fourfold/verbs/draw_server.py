"""The drawing page's server: a few files and one desk, for the browser on this machine only."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fourfold.errors import InputError
from fourfold.verbs.draw import next_command
from fourfold.verbs.draw_desk import DrawingDesk

_HOST = "127.0.0.1"
# A page of another site may ask for our port under its own name (DNS rebinding): refused.
_HOST_NAMES = frozenset({"127.0.0.1", "localhost"})
# Twenty thousand points are half a megabyte; nobody draws more.
_MAX_BODY = 4 << 20
_PAGE = Path(str(files("fourfold"))) / "data" / "draw"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
)


class DrawingServer(ThreadingHTTPServer):
    """Serves one desk; `url` is the page's address.

    Raises:
        OSError: the port cannot be used.
    """

    daemon_threads = True

    def __init__(self, desk: DrawingDesk, port: int = 0) -> None:
        super().__init__((_HOST, port), partial(_Handler, desk))

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{_HOST}:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    """Answers one request.

    GET: the page's own files, /state (JSON), /photo (JPEG). POST /save: the shapes (JSON).
    """

    protocol_version = "HTTP/1.1"

    def __init__(self, desk: DrawingDesk, *rest: Any) -> None:
        self._desk = desk
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Send a file of the page, the state or the photo."""
        if not self._is_from_here():
            return
        name = urlsplit(self.path).path.strip("/") or "index.html"
        if name == "state":
            self._send_json(HTTPStatus.OK, self._desk.page_state())
        elif name == "photo":
            self._send(HTTPStatus.OK, "image/jpeg", self._desk.shown_photo())
        elif name in _page_files():
            kind = _TYPES[Path(name).suffix]
            self._send(HTTPStatus.OK, f"{kind}; charset=utf-8", (_PAGE / name).read_bytes())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is no {name}")

    def do_POST(self) -> None:
        """Save the shapes."""
        if not self._is_from_here():
            return
        if urlsplit(self.path).path != "/save":
            self._refuse(HTTPStatus.NOT_FOUND, "only /save takes anything")
            return
        body = self._body()
        if body is None:
            return
        try:
            written = self._desk.save(json.loads(body))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "what was sent is not JSON")
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"cannot save: {error.strerror}")
        else:
            self._send_json(HTTPStatus.OK, {"saved": str(written), "next": next_command(written)})

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the terminal is for what the user saved."""

    def _is_from_here(self) -> bool:
        """Refuse a request under another host's name, or from another site's page."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        if urlsplit(f"//{host}").hostname not in _HOST_NAMES:
            self._refuse(HTTPStatus.FORBIDDEN, "only this machine may ask")
            return False
        if origin is not None and origin != f"http://{host}":
            self._refuse(HTTPStatus.FORBIDDEN, "a page of another site may not ask")
            return False
        return True

    def _body(self) -> bytes | None:
        """Read what was sent; None, and the answer is given, where it cannot be taken."""
        if self.headers.get_content_type() != "application/json":
            self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only JSON is taken")
            return None
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "the length is not said")
            return None
        if int(length) > _MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"larger than {_MAX_BODY >> 20} MB")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        # what was sent with it is not read, so the connection cannot go on
        self.close_connection = True
        self._send_json(status, {"error": message})

    def _send_json(self, status: HTTPStatus, data: Any) -> None:
        self._send(status, "application/json", json.dumps(data).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _page_files() -> set[str]:
    return {file.name for file in _PAGE.iterdir() if file.suffix in _TYPES}
