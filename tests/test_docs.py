"""The documentation: its links lead somewhere, and its commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from fourfold.cli.main import parse
from fourfold.verbs.methods import METHODS

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
COMMAND = re.compile(r"(?:^|`)(?:\.venv/bin/)?fourfold ([^`\n]+)", re.MULTILINE)
# What stands for something else in a text: an ellipsis, a choice, words in capitals.
PLACEHOLDER = re.compile(r"…|\||\b[A-Z]{3,}\b")


def _commands() -> list[str]:
    found = []
    for page in PAGES:
        for words in COMMAND.findall(page.read_text(encoding="utf-8")):
            words = words.partition("#")[0].strip()
            if not PLACEHOLDER.search(words) and " " in words:
                found.append(words)
    return sorted(set(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("words", _commands())
def test_commands_can_be_given(words: str) -> None:
    parse(shlex.split(words))


def test_commands_were_found() -> None:
    assert any(words.startswith(f"train {next(iter(METHODS))}") for words in _commands())
