"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import RunError


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` at once: readers see the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with plain_errors(path):
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as JSON, at once. NaN has no place in JSON and is an error."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; :class:`RunError` where there is none."""
    try:
        with plain_errors(path):
            text = path.read_text(encoding="utf-8")
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: this is not UTF-8 text ({error.reason}).") from None
    except json.JSONDecodeError as error:
        raise RunError(
            f"{path}, line {error.lineno}: this is not valid JSON: {error.msg}."
        ) from None


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at ``path`` into one sentence with a mend."""
    try:
        yield
    except OSError as error:
        mend = {
            errno.ENOSPC: "the disk is full. Nothing that was evaluated is lost: "
            "free some space and run the same command again",
            errno.EDQUOT: "your disk quota is used up. Nothing that was evaluated is lost: "
            "free some space and run the same command again",
            errno.EACCES: "this account may not write there; name another folder with --runs",
            errno.EPERM: "this account may not write there; name another folder with --runs",
            errno.EROFS: "the file system is read-only; name another folder with --runs",
            errno.ENOENT: "there is no such file",
            errno.EEXIST: "a file of that name is in the way",
            errno.ENOTDIR: "a file is in the way where a folder should be",
        }.get(error.errno or 0, error.strerror or str(error))
        raise RunError(f"{path}: {mend}.") from error


def replace_folder(new: Path, old: Path) -> None:
    """Put the folder ``new`` in the place of ``old``; a kill in between loses neither."""
    with plain_errors(old):
        away = old.with_name(f".{old.name}.old")
        shutil.rmtree(away, ignore_errors=True)
        if old.exists():
            old.rename(away)
        new.rename(old)
        shutil.rmtree(away, ignore_errors=True)
