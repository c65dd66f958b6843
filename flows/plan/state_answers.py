"""The answers of rules about the state, which keeps open groups over a restart. Pure."""

from __future__ import annotations

from flows.plan.effect import RESTART, Effect, Rule
from flows.spec import Pipeline

REFUSED = Effect(
    about="groups",
    text="the new version refuses the state of the old one: stop the old version, write what is "
    "open with the old file (`hopper state --flush`), and then `hopper state --discard`",
    together=False,
    flushes=True,
)
"""Of keys that decide what the state counts."""
ANOTHER_JOB = Effect(
    about="groups",
    text="with another queue too, the new version is another job, and refuses the folder of the "
    "old one: change both one after the other, or give it a state.path of its own",
    together=False,
)
"""Of the name of the job."""
GOES_ON = Effect(
    about="groups",
    text="open groups stay open, and the new value counts for them too",
    together=False,
)
"""Of other keys that concern open groups."""

STAYS = Effect(
    about="groups",
    text="what the state remembers stays, and the new value counts for it too",
    together=False,
)
"""Of keys that say how much is remembered of messages and groups that have left."""


def refused(rule: Rule) -> Rule:
    """Return the rule of a key that must not change while a state has open groups."""
    return lambda old, new: REFUSED if _keeps(old, new) else rule(old, new)


def refused_with_other_queues(rule: Rule) -> Rule:
    """Return the rule of a key that must not change together with all queues."""

    def answer(old: Pipeline, new: Pipeline) -> Effect:
        if old.state is None or new.state is None or old.state.path != new.state.path:
            return rule(old, new)
        shared = {*old.source.chosen.queue} & {*new.source.chosen.queue}
        return rule(old, new) if shared else ANOTHER_JOB

    return answer


def refused_if_it_keeps_other(rule: Rule) -> Rule:
    """Return the rule of a key that must not change whether open groups keep their messages."""

    def answer(old: Pipeline, new: Pipeline) -> Effect:
        same = old.aggregate.keeps_members == new.aggregate.keeps_members
        return rule(old, new) if same else refused(rule)(old, new)

    return answer


def goes_on(rule: Rule) -> Rule:
    """Return the rule of a key that may change while a state has open groups."""
    return lambda old, new: GOES_ON if _keeps(old, new) else rule(old, new)


def stays(rule: Rule) -> Rule:
    """Return the rule of a key that says how much a process remembers, or a state."""
    return lambda old, new: STAYS if _keeps(old, new) else rule(old, new)


def state(old: Pipeline, new: Pipeline) -> Effect:
    """Answer for the folder that keeps open groups."""
    if old.state is None:
        text = "open groups are kept in the folder from the restart on"
        return Effect(about="groups", text=text, together=False, requeues=True)
    if new.state is None:
        text = (
            "open groups stay in the folder and are not written: stop the old version, and write "
            "them with the old file (`hopper state --flush`)"
        )
        return Effect(about="groups", text=text, together=False)
    if old.state.path == new.state.path:
        return RESTART
    text = "move the folder while no version runs: a new folder has no open groups"
    return Effect(about="groups", text=text, together=False)


def _keeps(old: Pipeline, new: Pipeline) -> bool:
    return old.state is not None and new.state is not None
