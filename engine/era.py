"""Days as offices write them: 2027-04-01, 2027/4/1, 20270401, 2027年4月1日, 令和9年4月1日, R9.4.1; an era holds only for its own days."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

#: Era, its letter, its first and its last day; newest first.
_ERAS = (
    ("令和", "R", date(2019, 5, 1), date.max),
    ("平成", "H", date(1989, 1, 8), date(2019, 4, 30)),
    ("昭和", "S", date(1926, 12, 25), date(1989, 1, 7)),
    ("大正", "T", date(1912, 7, 30), date(1926, 12, 24)),
    ("明治", "M", date(1868, 1, 25), date(1912, 7, 29)),
)
# Word processors pad figures (令和 9年 4月 1日): blanks are taken where 年月日 part the figures, nowhere else.
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?P<y>[0-9]{4})(?P<mark>[-/.])(?P<m>[0-9]{1,2})(?P=mark)(?P<d>[0-9]{1,2})",
        r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
        r"(?P<y>[0-9]{4}) ?年 ?(?P<m>[0-9]{1,2}) ?月 ?(?P<d>[0-9]{1,2}) ?日",
        r"(?P<era>令和|平成|昭和|大正|明治|[RHS]) ?(?P<y>元|[0-9]{1,2}) ?年 ?(?P<m>[0-9]{1,2}) ?月 ?(?P<d>[0-9]{1,2}) ?日",
        r"(?P<era>令和|平成|昭和|大正|明治|[RHS])(?P<y>元|[0-9]{1,2})(?P<mark>[-/.])(?P<m>[0-9]{1,2})(?P=mark)(?P<d>[0-9]{1,2})",
    )
)


def read_date(text: str) -> date:
    """The day that a text writes, in full or half width.

    Raises:
        ValueError: it is written in none of the ways above, no such day exists, or it lies outside the era that is named.
    """
    plain = unicodedata.normalize("NFKC", text).strip() if len(text) <= 40 else ""
    for form in _FORMS:
        if match := form.fullmatch(plain):
            break
    else:
        raise ValueError(f"no day: {text[:40]!r}")
    parts = match.groupdict()
    year, month, day = 1 if parts["y"] == "元" else int(parts["y"]), int(parts["m"]), int(parts["d"])
    if "era" not in parts:
        return date(year, month, day)
    begins, ends = next((begins, ends) for name, letter, begins, ends in _ERAS if parts["era"] in (name, letter))
    if year == 0:
        raise ValueError(f"years of an era count from 1: {text[:40]!r}")
    found = date(begins.year + year - 1, month, day)
    if not begins <= found <= ends:
        raise ValueError(f"outside the era: {text[:40]!r}")
    return found


def japanese_date(day: date) -> str:
    """A day with its era, 令和9年4月1日; the first year is 元年, and before 明治 the year is counted as in ISO."""
    for name, _letter, begins, _ends in _ERAS:
        if day >= begins:
            year = day.year - begins.year + 1
            return f"{name}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return f"{day.year}年{day.month}月{day.day}日"
