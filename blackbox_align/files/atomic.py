"""Writing files so that a kill, a full disk or a second process never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import RunError

_SEAL = "checksum"


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
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise RunError(f"{path}: this JSON cannot be read ({error}).") from None


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


def write_sealed_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace ``path`` by ``value`` as JSON with a checksum of it in the end, at once."""
    write_json(path, {**value, _SEAL: _seal(value)})


def read_sealed_json(path: Path, *, required: bool = True) -> dict[str, Any]:
    """What :func:`write_sealed_json` wrote to ``path``, without its checksum.

    ``required`` false takes a file without a checksum as it is: one of an earlier format.

    Raises :class:`RunError` where there is none, or where its content is not what was written.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a JSON object, not {type(value).__name__}.")
    if not required and _SEAL not in value:
        return value
    seal = value.pop(_SEAL, None)
    if seal != _seal(value):
        raise RunError(
            f"{path}: its content is not what was written, for its checksum does not hold."
        )
    return value


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written in ``folder``; call it under the folder's lock."""
    for left in folder.glob(".*"):
        if left.suffix == ".tmp":
            with suppress(OSError):
                left.unlink()
        elif left.suffix in (".new", ".old") and left.is_dir():
            place = left.with_name(left.name[1 : -len(left.suffix)])
            if left.suffix == ".old" and not place.exists():  # killed between two renames
                with suppress(OSError):
                    left.rename(place)
            shutil.rmtree(left, ignore_errors=True)


def _seal(value: Mapping[str, Any]) -> str:
    content = json.dumps(value, sort_keys=True, ensure_ascii=False)
    # A lone surrogate, such as damage may leave, has no encoding: it must not end in a traceback.
    return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
