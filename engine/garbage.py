"""Keeps the collector of cyclic garbage from stopping a process that has begun."""

from __future__ import annotations

import gc


def settle_in() -> None:
    """To be called once what a process lives with is there: modules, offices, pages are not looked through again and again.

    A round through all of them takes a tenth of a second. Where it happens to begin within a transaction on SQLite, everybody waits.
    """
    gc.collect()
    gc.freeze()
