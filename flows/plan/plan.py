"""Puts the effects of all changed keys together: how to go from one version to the next. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from flows.plan.answers import AT_STOP, has_groups
from flows.plan.changed_keys import Key, changed_keys, shown
from flows.plan.effect import About
from flows.plan.rules import RULES
from flows.spec import Pipeline


class PlannedChange(msgspec.Struct):
    """A key that differs."""

    path: Key
    old: Any
    """Its value, with the default if it is not given; secrets are hidden. Null: none. A mapping has
    the keys that one of the files gives."""
    new: Any
    about: About
    """`restart`: it needs a restart, and nothing else."""
    text: str
    """What becomes of what is open, and what to do about it."""


class MigrationPlan(msgspec.Struct):
    """What a change of a spec means for what is open."""

    changes: list[PlannedChange]
    needs_attention: bool
    """A restart alone is not enough."""
    requeue_first: bool
    """The old version must stop with `on_stop: requeue`, and its own `on_stop` is another."""
    together: bool
    """Old and new version may run at the same time, as in a rolling update."""
    steps: list[str]
    """How to go from the old version to the new one."""


def plan(old: Pipeline, new: Pipeline) -> MigrationPlan:
    """Compare two specs."""
    keys = list(changed_keys(old, new))
    effects = [RULES[key.path](old, new) for key in keys]
    changes = [
        PlannedChange(
            key.path,
            shown(key.old, key.new, key.unit),
            shown(key.new, key.old, key.unit),
            effect.about,
            effect.text,
        )
        for key, effect in zip(keys, effects, strict=True)
    ]
    requeues = any(effect.requeues for effect in effects)
    whole = old.aggregate.on_stop in ("requeue", "keep")
    requeue_first = requeues and has_groups(old) and not whole
    together = all(effect.together for effect in effects) and not (has_groups(old) and keys)
    splits = bool(keys) and has_groups(old) and not whole
    return MigrationPlan(
        changes=changes,
        needs_attention=splits or any(effect.needs_attention for effect in effects),
        requeue_first=requeue_first,
        together=together,
        steps=_steps(
            *(old, bool(keys), requeue_first, together),
            flushes=any(effect.flushes for effect in effects),
        ),
    )


def _steps(
    old: Pipeline, changes: bool, requeue_first: bool, together: bool, *, flushes: bool
) -> list[str]:
    if not changes:
        return []
    steps = []
    if requeue_first:
        steps.append(
            "restart the old version with aggregate.on_stop: requeue, so that its stop splits no "
            "group"
        )
    if together:
        steps.append("replace the processes one by one, or all at once: both versions may run")
    else:
        steps.append("stop all processes of the old version with SIGTERM, and wait for their end")
        if flushes:
            steps.append("with the old file, run `hopper state --flush`")
            steps.append("with the old file, run `hopper state --discard`")
        steps.append("start the new version")
    if has_groups(old):
        at_stop = "requeue" if requeue_first else old.aggregate.on_stop
        steps.append(f"open groups are {AT_STOP[at_stop]} at the stop")
    return steps
