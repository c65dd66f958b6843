"""Pipelines with a given `aggregate`, as text."""

from __future__ import annotations

import textwrap

WHOLE = """
by: order.id
missing_key: park
window:
  count: 500
  bytes: 5MiB
  time: 5s
  idle: 1s
  last: 'message.type == "end"'
  first: 'message.type == "start"'
  until: 'group.count >= 3 && group.sum("amount") > 100.0'
  size: header.sequence-size
incomplete: write
on_stop: write
late: park
remember: 100000
max_groups: 1000000
order: sequence
reduce:
  order: {first: order.id}
  lines: {list: line}
  total: {sum: amount}
  users: {distinct: user.id}
  p99: {quantile: latency_ms, q: 0.99}
  names: {concat: name, separator: ", "}
  n: count
summary: {count: members, completed_by: null}
"""


def pipeline(aggregate: str, source: str = "memory: {}", sink: str = "memory: {}") -> str:
    """The `aggregate` begins in line 6, column 3."""
    return (
        f"version: 1\nname: a\nsource: {{{source}}}\nsink: {{{sink}}}\naggregate:\n"
        + textwrap.indent(aggregate.strip("\n"), "  ")
        + "\n"
    )
