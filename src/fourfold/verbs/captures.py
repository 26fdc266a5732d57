"""The capture of a run, read again as it was read for the training."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from fourfold.capture import Capture, open_capture
from fourfold.errors import InputError, UsageError
from fourfold.files import write_atomic
from fourfold.training import Run, from_plain, read_yaml, to_plain, write_yaml
from fourfold.verbs.options import FootageOptions, InputOptions

_OPTIONS = "capture.yml"


def open_with(
    capture: Capture | str | Path, options: FootageOptions | None
) -> tuple[Capture, FootageOptions | None]:
    """Open a capture by its path with options; an open one stays as it is, its options unknown.

    Raises:
        UsageError: options for a capture that is open already.
    """
    if isinstance(capture, Capture):
        if options is not None:
            raise UsageError("capture options with a capture that is open already")
        return capture, None
    options = options or InputOptions()
    return open_capture(capture, **asdict(options)), options


def remember_options(run: Run, options: FootageOptions | None) -> None:
    """Write how the capture was read into the run (`capture.yml`), for `capture_of`."""
    if options is not None:
        named = ("masks", "cameras", "depth", "bodies", "motion_field")
        places = {
            name: place for name in named if (place := getattr(options, name, None)) is not None
        }
        # Resolved, so that the run can be measured from any folder.
        options = replace(options, **{name: Path(p).resolve() for name, p in places.items()})
        write_atomic(run.path / _OPTIONS, write_yaml(to_plain(options)))


def capture_of(run: Run) -> Capture:
    """Open the capture that a run was trained on, as it was read then.

    Raises:
        InputError: it is gone, or is not what it was.
    """
    file = run.path / _OPTIONS
    options = InputOptions()
    if file.is_file():
        options = from_plain(InputOptions, read_yaml(file), path=file)
    capture = open_capture(run.capture_path, **asdict(options))
    if capture.fingerprint() != run.capture_fingerprint:
        raise InputError(
            "this capture is not what the run was trained on",
            path=run.capture_path,
            mend="Give it to `fourfold.eval` as an open capture, read with the same options",
        )
    return capture
