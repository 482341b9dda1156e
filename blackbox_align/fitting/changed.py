"""Whether a run may go on: what was asked then and now, and what the names stood for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import ChangedSpecificationError
from .specification import Specification, option, spoken


def refuse_settings(then: Specification, now: Specification, where: Path) -> None:
    """Raise :class:`ChangedSpecificationError`, with the differences, unless both search the same.

    Names of files, models and runs are not compared: what they hold is, by :func:`refuse_facts`.
    """
    changed = [
        f"{option(one.name)}: {spoken(before)} then, {spoken(after)} now"
        for one in fields(then)
        if one.name not in _BY_CONTENT
        for before, after in [(getattr(then, one.name), getattr(now, one.name))]
        if before != after
    ]
    for name in ("dtype", "orders", "placement", "tokens", "language", "validation"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after and not {"auto", None} & {before, after}:
            changed.append(f"{option(name)}: {before} then, {after} now")
    before, after = then.chat_template, now.chat_template
    if before != after and {before, after} & {"auto", "none"}:  # two files by what they hold
        changed.append(f"{option('chat_template')}: {before} then, {after} now")
    _refuse(changed, where)


def refuse_facts(
    then: Specification,
    now: Specification,
    facts: tuple[Mapping[str, Any], Mapping[str, Any]],
    where: Path,
) -> None:
    """Raise :class:`ChangedSpecificationError` unless the settings' names stand for the same things.

    ``facts`` are those recorded and those of today; one that was not recorded is not compared.
    """
    recorded, today = facts
    changed = []
    for key, setting in _FACTS.items():
        if key not in recorded or recorded[key] == today.get(key):
            continue
        if not hasattr(now, setting):
            after = spoken(today.get(key))
            changed.append(f"{option(setting)}: {spoken(recorded[key])} then, {after} now")
            continue
        before, after = (spoken(getattr(one, setting)) for one in (then, now))
        changed.append(
            f"{option(setting)}: {before} then, {after} now"
            if before != after
            else f"{option(setting)}: what {after} holds has changed since"
        )
    _refuse(changed, where)


def _refuse(changed: Sequence[str], where: Path) -> None:
    if changed:
        raise ChangedSpecificationError(
            f"The run {where} was made with other settings ({'; '.join(changed)}). "
            "Ask for the same settings to continue it, or start another with --name."
        )


# What is found by name or place: a run that goes on compares what is found there.
_BY_CONTENT = (
    "validation",
    "survey", "targets", "opinions", "model", "revision", "warm_start", "device", "dtype", "orders",
    "trust_remote_code", "chat_template", "placement", "tokens", "language",
)  # fmt: skip
_FACTS = {
    "survey_sha256": "survey",
    "targets_sha256": "targets",
    "opinions_sha256": "opinions",
    "model_revision": "model",
    "warm_start_digest": "warm_start",
    "orders": "orders",
    "placement": "placement",
    "length": "tokens",
    "opening": "chat_template",
    "target_loss": "target_loss",
    "function": "objective",
}
