"""Recognises templates of index names in other tools' notations, and translates them. Pure.

x-%{+YYYY.MM.dd}  %{[host]}  {{ .host }}  ${host}  <x-{now/d}>  x-%Y.%m.%d
"""

from __future__ import annotations

import re

from connectors.spelling import names_in, problem_of, written


def refuse_other_notations(text: str) -> None:
    """Refuse a template in another tool's notation.

    Raises:
        ValueError: it is one; the text says what to write instead.
    """
    problem = _problem_of_template(text)
    if problem is not None:
        raise ValueError(problem)
    for place in re.findall(r"\{([^{}]*)\}", text):
        problem = _problem_of_place(place)
        if problem is not None:
            raise ValueError(f"{{{place}}}: {problem}")


def _problem_of_place(place: str) -> str | None:
    name = place.partition(":")[0].partition("|")[0]
    if place != place.strip():
        return f"a placeholder has no spaces: write {{{place.strip()}}}"
    return _problem_of_date(place) or problem_of(name, pointers=False)


def _problem_of_template(text: str) -> str | None:
    bare = re.sub(r"\{[^{}]*\}", "", text)
    if re.search(r"%[YymdHjGV]", bare):
        dates = re.sub(r"(?:%[YymdHjGV][^%\w]?)+(?<=\w)", r"{@timestamp:\g<0>}", text)
        return f"a date needs braces: write {dates}"
    if text.startswith("<") and text.endswith(">"):
        text = re.sub(r"\{now[^{}]*(?:\{([^{}]*)\}[^{}]*)?\}", _date_math, text[1:-1])
        return f"templates have no date math: write {text}"
    if not _PLACE.search(text):
        return None
    return f"a placeholder has one pair of braces only: write {_PLACE.sub(_ours, text)}"


def _problem_of_date(place: str) -> str | None:
    if re.fullmatch(r"\+?(?:[yY]{2,4}|x{4})(?:[-._/]?(?:M{2}|d{2}|D{2,3}|H{2}|w{2}))*", place):
        return f"a date is written {_dates(place)}"
    if re.match(r"now\b", place):
        return "a date is written {@timestamp:%Y.%m.%d}"
    return None


def _ours(place: re.Match[str]) -> str:
    inner = next(part for part in place.groups() if part is not None).strip()
    if inner.startswith("+") or _problem_of_date(inner) is not None:
        return _dates(inner)
    return f"{{{written(names_in(inner)) or 'tenant'}}}"


def _date_math(place: re.Match[str]) -> str:
    return _dates(place[1] or "yyyy.MM.dd")


def _dates(text: str) -> str:
    """Translate a date format of Java or Joda."""
    directives = re.sub(
        "|".join(_DIRECTIVES),
        lambda found: _DIRECTIVES[found[0]],
        text.partition("|")[0].lstrip("+"),
    )
    return f"{{@timestamp:{directives}}}"


_PLACE = re.compile(r"[%$#]\{([^{}]*)\}|\{\{([^{}]*)\}\}|%\{(\[[^{}]*)\}")
_DIRECTIVES = {
    **dict.fromkeys(("yyyy", "YYYY", "uuuu"), "%Y"),
    "xxxx": "%G",
    **dict.fromkeys(("yy", "YY"), "%y"),
    "MM": "%m",
    **dict.fromkeys(("DDD", "DDDD"), "%j"),
    **dict.fromkeys(("dd", "DD"), "%d"),
    "HH": "%H",
    "ww": "%V",
}
