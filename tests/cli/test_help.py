"""The help pages: quick, complete, and without torch."""

import dataclasses
import subprocess
import sys

import pytest

from fourfold.cli.commands import commands, train_command
from fourfold.verbs.methods import METHODS
from fourfold.verbs.options import CaptureOptions, PhotoOptions, RigOptions

VERBS = (
    "demo",
    "info",
    "prepare",
    "train",
    "sample",
    "render",
    "eval",
    "export",
    "synth",
    "version",
)


def _fourfold(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fourfold", *words], capture_output=True, text=True, check=False
    )


def test_help_lists_the_verbs() -> None:
    done = _fourfold("--help")
    assert done.returncode == 0
    assert all(f"• {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_every_option(verb: str) -> None:
    done = _fourfold(verb, "--help")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    for kind in _dataclasses(verb):
        source = _fields_with_docs(kind)
        missing = [f.name for f in dataclasses.fields(kind) if f.name not in source]
        assert not missing, f"{kind.__name__}: no help text for {missing}"


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["train", "osn", "clip", "--help"], "train [-h] [TRAIN OPTIONS] METHOD CAPTURE"),
        (["demo", "osn", "-h"], "demo [-h] [METHOD]"),
    ],
)
def test_usage_names_what_is_given_already(words, usage) -> None:
    said = _fourfold(*words).stdout
    assert f"usage: fourfold {usage}" in said
    assert ("--known-size" in said) == (words[0] == "train")  # an option of osn


def test_a_method_has_the_options_of_its_input() -> None:
    method = dataclasses.replace(METHODS["dreamscene4d"], photo=False, rig=False)
    of = {"photo": PhotoOptions, "rig": RigOptions, "bodies": CaptureOptions}
    for name, kind in of.items():
        command = train_command(dataclasses.replace(method, **{name: True}))
        (found,) = (f for f in dataclasses.fields(command) if f.name == "options")
        assert found.default_factory is kind


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; from fourfold.cli import main\n"
        "try: main(['train', 'dreamscene4d', '--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numba', 'cv2', 'av', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version() -> None:
    import fourfold

    assert _fourfold("version").stdout.strip() == fourfold.__version__
    assert _fourfold("--version").stdout.strip() == fourfold.__version__


def test_a_closed_pipe_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fourfold", "train", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0


def _dataclasses(verb: str) -> list[type]:
    """Find the dataclasses whose fields are the options of a verb."""
    command = next(kind for kind in _commands() if kind.__name__.lower() == verb)
    found = [command.__mro__[1] if verb == "train" else command]
    if verb == "train":
        found += [type(_config(name)) for name in METHODS]
    for kind in list(found):
        found += [
            type(f.default_factory())
            for f in dataclasses.fields(kind)
            if f.default_factory is not dataclasses.MISSING
            and dataclasses.is_dataclass(f.default_factory)
        ]
    return found


def _commands() -> list[type]:
    return [kind.__origin__ for kind in commands(["train"]).__args__]


def _config(name: str) -> object:
    return METHODS[name].load("config")()


def _fields_with_docs(kind: type) -> set[str]:
    """Find the fields that are followed by a docstring, in the class or what it inherits from."""
    import ast
    import inspect
    import textwrap

    documented = {"options", "config", "sfm"}  # groups: their fields have their own texts
    for base in kind.__mro__[:-1]:
        if not dataclasses.is_dataclass(base):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for node, following in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
            ):
                documented.add(node.target.id)
    return documented
