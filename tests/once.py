"""What every test would do anew with the same result, done once for a process: hashing well, compiling pages, routes, statements and diagrams.

Libraries keep most of this for each application or database, as an installation has one of each; tests make thousands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from werkzeug.routing import Rule

from engine import accounts, definitions, organisation, sandbox_database, service
from engine.storage import open_database


def spare_the_same_work() -> None:
    """To be called before the first test."""
    # Thousands sign in, and each would cost a tenth of a second; test_accounts.py looks at the hasher as installations have it.
    accounts._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": Pages()}
    Rule._compile_builder = _compiled_route  # type: ignore[method-assign]
    service.open_database = _open_database  # type: ignore[attr-defined]
    definitions.compile_bundle = _compile_bundle  # type: ignore[assignment]
    organisation.load = _load


class Pages(jinja2.BytecodeCache):
    """Compiled templates by name and source."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """What another application compiled."""
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Keep it for the next."""
        self._known[bucket.key, bucket.checksum] = bucket.code


_compile_route = Rule._compile_builder
_routes: dict[tuple[Any, ...], Any] = {}


def _compiled_route(rule: Rule, append_unknown: bool = True) -> Any:
    converters = tuple((name, type(converter), repr(vars(converter) | {"map": None})) for name, converter in rule._converters.items())
    key = (rule.rule, rule.subdomain, rule.host, repr(rule.defaults), tuple(rule._trace), converters, append_unknown)
    if key not in _routes:
        _routes[key] = _compile_route(rule, append_unknown)
    return _routes[key]


def _open_database(url: str) -> sa.Engine:
    made = open_database(url)
    if made.dialect.name == "sqlite":  # as sandboxes do; of PostgreSQL's dialect a part is asked from the very server
        made.dialect = made.pool._dialect = sandbox_database._lender().dialect
        made.update_execution_options(compiled_cache=sandbox_database._COMPILED)
    return made


_compile = definitions.compile_bundle
_compiled: dict[Any, Any] = {}


def _compile_bundle(process_id: str, files: Any, *limits: Any, admitted: bool = False) -> Any:
    key = (process_id, frozenset(files.items()), limits, admitted)
    if key not in _compiled:
        _compiled[key] = _compile(process_id, files, *limits, admitted=admitted)
    return _compiled[key]


_read = organisation.load
_offices: dict[Any, Any] = {}


def _load(folder: Path) -> Any:
    key = (folder, organisation._digest(Path(folder)))
    if key not in _offices:
        _offices[key] = _read(folder)
    return _offices[key]
