"""What goes wrong is one line and an exit code, never a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fourfold
from fourfold.cli import main
from fourfold.errors import FourfoldError, InputError, ResultError


def _raise(error: BaseException) -> None:
    raise error


def _run(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> int:
    """Run `fourfold export` with an export that fails."""
    monkeypatch.setattr(fourfold, "export", lambda *a, **k: _raise(error), raising=False)
    return main(["export", "runs/x", *words])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("it is red", path="a.png", expected="blue"), 2, "a.png: it is red; expected"),
        (ResultError("the scene is empty."), 1, "error: the scene is empty."),
        (FourfoldError("on\ntwo lines"), 1, "error: on two lines"),
        (PermissionError(13, "Permission denied", "b.png"), 2, "b.png"),
    ],
)
def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    line: str,
) -> None:
    monkeypatch.delenv("FOURFOLD_TRACEBACK", raising=False)
    assert _run(monkeypatch, error) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("error: ")
    assert line in printed.err


@pytest.mark.parametrize("by", ["option", "environment"])
def test_the_traceback_comes_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    monkeypatch.setenv("FOURFOLD_TRACEBACK", "1" if by == "environment" else "0")
    words = ["--traceback"] if by == "option" else []
    assert _run(monkeypatch, InputError("it is red"), *words) == 2
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.splitlines()[-1] == "error: it is red."


def test_an_interruption_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        fourfold, "train", lambda *a, **k: _raise(KeyboardInterrupt()), raising=False
    )
    assert main(["train", "dreamscene4d", "clip", "--out", "runs/clip"]) == 130
    printed = capsys.readouterr().err
    assert "interrupted. The same command goes on from the last checkpoint in runs/clip." in printed
    assert "Traceback" not in printed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT between processes")
def test_a_real_interruption_exits_130() -> None:
    code = (
        "import signal, sys, time, fourfold; from fourfold.cli import main\n"
        # a background job of a shell, as the tests may be one, is born with SIGINT ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "fourfold.train = lambda *a, **k: (print('ready', flush=True), time.sleep(60))\n"
        "sys.exit(main(['train', 'dreamscene4d', 'clip', '--out', 'runs/clip']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted. The same command goes on" in printed
    assert "Traceback" not in printed


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        _run(monkeypatch, ZeroDivisionError())


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["train"],
        ["train", "nothing", "clip", "--out", "x"],
        ["train", "dreamscene4d", "clip"],
        ["train", "dreamscene4d", "clip", "--out", "x", "--fov", "wide"],
        ["render"],
        ["render", "x", "--format", "avi"],
        ["export", "x", "--format", "obj"],
    ],
)
def test_wrong_usage_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["info", "{tmp}/nowhere"],
        ["train", "dreamscene4d", "{tmp}/nowhere", "--out", "{tmp}/run"],
        ["render", "{tmp}/nowhere"],
        ["eval", "{tmp}/nowhere"],
        ["export", "{tmp}/nowhere"],
        ["synth", "nowhere", "--out", "{tmp}/out"],
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([word.format(tmp=tmp_path) for word in words]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert "nowhere" in printed.err
    assert list(tmp_path.iterdir()) == []
