"""How long records are kept (保存期間): counted in full fiscal years (年度, 1 April to 31 March) after the one in which they were made."""

from __future__ import annotations

from datetime import date

FIRST_MONTH = 4  # 年度 begin on 1 April (財政法第11条; 公文書管理法施行令第8条第2項 counts from there too)


def fiscal_year(day: date) -> int:
    """The fiscal year a day belongs to, by the year of its 1 April."""
    return day.year if day.month >= FIRST_MONTH else day.year - 1


def kept_until(day: date, years: int) -> date:
    """The last day of a period of so many years that begins with the fiscal year after a day: 2026-11-21 and 5 give 2032-03-31.

    Args:
        day: the day that the record is about.
        years: full fiscal years, at least 1.
    """
    return date(fiscal_year(day) + 1 + years, FIRST_MONTH - 1, 31)
