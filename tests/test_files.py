"""Atomic writes, also on a disk that is full or may not be written.

The tests run as root in many containers, where permission bits stop nobody. Refusals come from
small tmpfs mounts where mounting is allowed, and from a replaced system call elsewhere; both go
through the same code of ours.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fourfold import files
from fourfold.errors import OutputError
from fourfold.files import make_folder, recover_folder, replace_folder, write_atomic, writing


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_atomic_creates_folders_and_leaves_nothing_else(tmp_path: Path):
    write_atomic(tmp_path / "a" / "b.txt", "grün")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "grün".encode()
    assert _names(tmp_path / "a") == ["b.txt"]


def test_write_atomic_replaces(tmp_path: Path):
    target = tmp_path / "b.bin"
    write_atomic(target, b"old")
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"


def test_replace_folder_swaps_the_whole_folder(tmp_path: Path):
    target = tmp_path / "scene"
    target.mkdir()
    (target / "old").write_text("1")
    with replace_folder(target) as folder:
        (folder / "new").write_text("2")
        assert _names(target) == ["old"]
    assert _names(target) == ["new"]
    assert _names(tmp_path) == ["scene"]


def raise_after_writing(folder: Path) -> None:
    (folder / "new").write_text("2")
    raise RuntimeError("stop")


def test_replace_folder_keeps_what_was_there_when_the_block_fails(tmp_path: Path):
    target = tmp_path / "scene"
    target.mkdir()
    (target / "old").write_text("1")
    with pytest.raises(RuntimeError, match="stop"), replace_folder(target) as folder:
        raise_after_writing(folder)
    assert _names(target) == ["old"]
    assert _names(tmp_path) == ["scene"]


def test_a_kill_between_the_two_renames_is_recovered(tmp_path: Path):
    # the state after the first rename: the old folder aside, the new one not yet in place
    (tmp_path / ".scene.old").mkdir()
    (tmp_path / ".scene.old" / "tensors").write_text("1")
    (tmp_path / ".scene.new").mkdir()
    recover_folder(tmp_path / "scene")
    assert _names(tmp_path / "scene") == ["tensors"]
    with replace_folder(tmp_path / "scene") as folder:
        (folder / "tensors").write_text("2")
    assert _names(tmp_path) == ["scene"]


def test_a_kill_after_both_renames_leaves_the_new_folder(tmp_path: Path):
    for name, text in (("scene", "new"), (".scene.old", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tensors").write_text(text)
    recover_folder(tmp_path / "scene")
    assert (tmp_path / "scene" / "tensors").read_text() == "new"
    assert _names(tmp_path) == ["scene"]


def test_a_failing_second_rename_puts_the_old_folder_back(tmp_path: Path, monkeypatch):
    target = tmp_path / "scene"
    target.mkdir()
    (target / "old").write_text("1")
    rename, calls = os.replace, []

    def second_fails(source, goal):
        calls.append(goal)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, goal)

    monkeypatch.setattr(files.os, "replace", second_fails)
    with pytest.raises(OutputError, match="no space left"), replace_folder(target):
        pass
    assert _names(target) == ["old"]


def test_full_disk_keeps_the_old_file(small_disk: Path):
    target = small_disk / "tensors"
    write_atomic(target, b"old")
    with pytest.raises(OutputError, match=r"tensors: cannot write: no space left.*Free some space"):
        write_atomic(target, bytes(1 << 20))
    assert target.read_bytes() == b"old"
    assert _names(small_disk) == ["tensors"]


def test_full_disk_keeps_the_old_folder(small_disk: Path):
    with replace_folder(small_disk / "scene") as folder:
        (folder / "tensors").write_bytes(b"old")
    with (
        pytest.raises(OutputError, match="no space left"),
        replace_folder(small_disk / "scene") as folder,
    ):
        (folder / "tensors").write_bytes(bytes(1 << 20))
    assert (small_disk / "scene" / "tensors").read_bytes() == b"old"
    assert _names(small_disk) == ["scene"]


def test_read_only_disk(read_only_disk: Path):
    with pytest.raises(OutputError, match="read-only file system"):
        write_atomic(read_only_disk / "a", b"x")
    with pytest.raises(OutputError, match="read-only"), replace_folder(read_only_disk / "run"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_folder_without_write_permission(tmp_path: Path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"permission denied.*Choose a folder"):
            write_atomic(tmp_path / "a", b"x")
    finally:
        tmp_path.chmod(0o700)


def test_refused_permission_by_a_replaced_call(tmp_path: Path, monkeypatch):
    # root passes every permission bit, so the refusal is played
    def refuse(*_args, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(OutputError, match=r"permission denied.*Choose a folder that you may write"):
        write_atomic(tmp_path / "a", b"x")
    assert _names(tmp_path) == []


def test_a_file_in_the_way_of_a_folder(tmp_path: Path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(OutputError, match="a file is in the way"):
        make_folder(tmp_path / "run")
    with pytest.raises(OutputError, match="one of the parent folders is a file"):
        make_folder(tmp_path / "run" / "scene")


def test_reading_mistakes_are_not_taken_for_writing_ones(tmp_path: Path):
    with pytest.raises(FileNotFoundError), writing(tmp_path):
        (tmp_path / "absent").read_bytes()
