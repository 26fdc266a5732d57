"""The step draw of the verb prepare: regions and motion hints on a photo, drawn in the browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg

from fourfold.errors import UsageError

_PORTS = 65535


@dataclass(frozen=True)
class DrawOptions:
    """How the page is served."""

    port: Annotated[int, arg(metavar="INT")] = 0
    """Port on this machine; 0 takes a free one."""
    no_browser: FlagCreatePairsOff[bool] = False
    """Only print the page's address."""


def next_command(file: Path) -> str:
    """Say what can be done with a drawing that was saved."""
    return f"fourfold train mom {quote(str(file))} --out {quote(f'runs/{file.stem}')}"


def draw(
    photo: str | Path,
    *,
    out: str | Path,
    options: DrawOptions | None = None,
    say: Callable[[str], None] = print,
    saved: Callable[[Path], None] = print,
) -> None:
    """Serve a page on this machine on which to draw, until Ctrl-C.

    Each time the user saves, `out` gets labelme's JSON and a copy of the photo. A drawing that is
    in `out`, else one beside the photo, is gone on with.

    Args:
        photo: the picture, the JSON of a drawing on it, or a folder with both.
        out: the folder to write.
        say: is told where the page is, and what happens.
        saved: is given the JSON after each time it is saved.

    Raises:
        InputError: the photo or its drawing cannot be read.
        UsageError: the port is taken, or none.
    """
    from fourfold.verbs.draw_desk import DrawingDesk
    from fourfold.verbs.draw_server import DrawingServer

    options = options or DrawOptions()
    if not 0 <= options.port <= _PORTS:
        raise UsageError(f"the port is {options.port}", expected=f"0 to {_PORTS}")
    desk = DrawingDesk.open(Path(photo), Path(out), saved)
    for note in desk.notes:
        say(f"note: {note}")
    try:
        server = DrawingServer(desk, options.port)
    except OSError as error:
        raise UsageError(
            f"the port {options.port} cannot be used ({(error.strerror or str(error)).lower()})",
            mend="Choose another --port, or none",
        ) from error
    with server:
        say(f"draw at {server.url} (Ctrl-C ends it)")
        if not options.no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(f"\n{desk.state()}")
