"""The Hugging Face hub: which commit a name stands at, and single data files. Nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import DataFileError, ModelError, SpecificationError, nearest_names

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")


def commit_on_hub(
    name: str, revision: str | None, *, kind: str = "model", file: str = "config.json"
) -> tuple[str, bool]:
    """The commit that a revision of a repository stands at, and whether the hub could be reached.

    It is asked once: its own client would try again for half a minute where there is no network. Then
    the commit is the one whose ``file`` was downloaded before, or just ``revision``.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    asked = revision or "main"
    reached = True
    try:
        info = HfApi().repo_info(name, revision=asked, repo_type=kind, timeout=10)
        return info.sha or asked, reached
    except HfHubHTTPError:
        pass  # it answered: what it has against the name is told when a file is fetched
    except Exception:  # no network, or offline by choice
        reached = False
    try:
        downloaded = try_to_load_from_cache(name, file, revision=asked, repo_type=kind)
    except ValueError:  # no name that the hub could know
        downloaded = None
    if not isinstance(downloaded, str):
        return asked, reached
    return Path(downloaded).parents[file.count("/")].name, reached


def fetch_model(
    name: str, revision: str | None, wanted: Callable[[list[str]], list[str]]
) -> tuple[Path, str]:
    """The folder of a model, downloaded once, and the commit that it stands at.

    Parameters
    ----------
    wanted : of the names of all files those that are needed

    Raises
    ------
    ModelError
        It cannot be fetched and was not fetched before; the message says why, and what mends it.
    """
    from huggingface_hub import HfApi, snapshot_download

    asked = revision or "main"
    try:
        info = HfApi().model_info(name, revision=asked, timeout=10)
        files = wanted([sibling.rfilename for sibling in info.siblings or ()])
        commit = info.sha or asked
        # By the name that was asked for, so that it is found by it offline.
        folder = snapshot_download(name, revision=asked, allow_patterns=files)
        return Path(folder), commit
    except Exception as error:  # the hub and the network have dozens of kinds
        why, final = _trouble(error, f"model {name!r}", asked)
        if not final:
            try:
                folder = snapshot_download(name, revision=asked, local_files_only=True)
                return Path(folder), Path(folder).name
            except Exception:
                pass
        raise ModelError(f"The model {name!r} could not be fetched: {why}.") from error


def _trouble(error: Exception, what: str, revision: str) -> tuple[str, bool]:
    """What came in the way, with its mend, and whether what was downloaded before must not be used."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return "its owners ask for consent: give it on its page, then `hf auth login`", True
    if isinstance(error, RepositoryNotFoundError):
        if error.response is not None and error.response.status_code == 401:
            return (
                "the hub asks who you are, as it does for one that is private or that it does not have: "
                "`hf auth login`, or check the name",
                True,
            )
        return f"there is no {what} on the hub or in this folder: check the name", True
    if isinstance(error, RevisionNotFoundError):
        return f"it has no revision {revision!r} on the hub", True
    if isinstance(error, HFValidationError):
        return "this is no name that the hub could know, and no folder here", True
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        code = error.response.status_code
        if code == 429:
            return (
                "the hub has had too many requests: wait a few minutes, or `hf auth login`",
                False,
            )
        if code in (401, 403):
            return (
                "the hub refuses this account: `hf auth login`, with a token that may read it",
                True,
            )
        return f"the hub is in trouble (HTTP {code}): try again later", False
    # The library under the hub's client has changed its name, but not that of its class.
    cut = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    if cut or isinstance(error, (OSError, LocalEntryNotFoundError)):
        return (
            "it is neither a folder here nor downloaded before, and the hub cannot be reached "
            f"({type(error).__name__}): check the name and the network, or give a folder",
            False,
        )
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", False


def fetch_data_file(address: str) -> tuple[Path, str]:
    """A file of a data set, downloaded once, and its address with the commit.

    Parameters
    ----------
    address : ``hf://datasets/OWNER/NAME/FILE``, or ``OWNER/NAME@REVISION``

    Raises
    ------
    SpecificationError
        The address has another form.
    DataFileError
        It cannot be fetched and was not fetched before; the message says why.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    parts = _ADDRESS.fullmatch(address)
    if not parts:
        raise SpecificationError(
            "A file on the hub is named hf://datasets/OWNER/NAME/FILE, such as "
            "hf://datasets/kellycyy/CulturalBench/CulturalBench-Hard.csv; "
            f"not {address!r}."
        )
    name, revision, file = parts.groups()
    commit, reached = commit_on_hub(name, revision, kind="dataset", file=file)
    try:
        path = hf_hub_download(  # by the revision's name, so that it is found by it offline
            name, file, repo_type="dataset", revision=revision, local_files_only=not reached
        )
    except GatedRepoError:
        why = (
            "its owners ask for consent: give it on the page of the data set, then `hf auth login`"
        )
    except RepositoryNotFoundError:
        why = "there is no such data set, or it is private: check the name, or `hf auth login`"
    except RevisionNotFoundError:
        why = f"the data set has no revision {revision or 'main'!r}"
    except LocalEntryNotFoundError:
        why = (
            "the Hugging Face hub cannot be reached, and the file was not downloaded before: check "
            "the network, or name a file here"
        )
    except EntryNotFoundError:
        why = f"the data set has no such file{_nearest(name, commit, file)}"
    except Exception as error:  # the network can break in a dozen ways on the way
        why = f"it cannot be fetched: {' '.join(str(error).split())[:200]}"
    else:
        return Path(path), f"{SCHEME}datasets/{name}@{commit}/{file}"
    raise DataFileError(address, None, f"{why}.") from None


def _nearest(name: str, commit: str, file: str) -> str:
    from huggingface_hub import HfApi

    near = nearest_names(file, HfApi().list_repo_files(name, repo_type="dataset", revision=commit))
    return f"; did you mean {' or '.join(near)}?" if near else ""
