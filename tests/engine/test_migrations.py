"""What the migrations build is what the engine expects, on both databases, forwards, backwards and twice."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from engine import schema
from engine.model import APPEND_ONLY, metadata
from engine.storage import create_all, open_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}" if request.param == "sqlite" else request.getfixturevalue("fresh_postgresql")
    engine = open_database(url)
    yield engine
    engine.dispose()


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is ours, and not the queue's."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


def differences(database: sa.Engine) -> list[object]:
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True, "include_name": ours})
        return list(compare_metadata(context, metadata))


def described(database: sa.Engine) -> dict[str, object]:
    """Every table, index, constraint and trigger, as the database itself describes them."""
    inspector = sa.inspect(database)
    found: dict[str, object] = {}
    for table in sorted(metadata.tables):
        found[table] = (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
            sorted(
                (
                    index["name"] or "",
                    tuple(index["column_names"]),
                    str(sorted((name, str(value)) for name, value in index.get("dialect_options", {}).items())),
                )
                for index in inspector.get_indexes(table)
            ),
            sorted(str(key["name"]) for key in inspector.get_foreign_keys(table)),
            sorted((str(check["name"]), check["sqltext"]) for check in inspector.get_check_constraints(table)),
            sorted((str(unique["name"]), tuple(unique["column_names"])) for unique in inspector.get_unique_constraints(table)),
            inspector.get_pk_constraint(table)["constrained_columns"],
        )
    found["triggers"] = triggers(database)
    return found


def triggers(database: sa.Engine) -> list[str]:
    with database.connect() as connection:
        if database.dialect.name == "sqlite":
            return sorted(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'trigger'").scalars())
        return sorted(
            connection.exec_driver_sql("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname !~ '^procrastinate'").scalars()
        )


def test_the_migrations_build_what_the_engine_expects(database: sa.Engine) -> None:
    schema.migrate(database)
    assert differences(database) == []


def test_the_migrations_build_the_very_same_as_the_tables_created_directly(database: sa.Engine) -> None:
    create_all(database)
    direct = described(database)
    with database.begin() as connection:
        if database.dialect.name == "sqlite":
            for table in reversed(metadata.sorted_tables):
                connection.exec_driver_sql(f"DROP TABLE {table.name}")
        else:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    schema.migrate(database)
    assert described(database) == direct


def test_migrating_twice_is_harmless(database: sa.Engine) -> None:
    schema.migrate(database)
    with database.begin() as connection:
        connection.execute(metadata.tables["counter"].insert().values(organisation="office", name="x", period="", value=7))
    before = described(database)
    schema.migrate(database)
    assert described(database) == before
    with database.connect() as connection:
        assert connection.scalar(sa.select(metadata.tables["counter"].c.value)) == 7


def test_each_migration_goes_down_and_up_again(database: sa.Engine) -> None:
    config = schema._config(database)
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for revision in revisions:
        command.upgrade(config, revision)
        command.downgrade(config, "-1")
        command.upgrade(config, revision)
    assert differences(database) == []
    command.downgrade(config, "base")
    assert sa.inspect(database).get_table_names() == ["alembic_version"]
    assert triggers(database) == []
    if database.dialect.name == "postgresql":
        with database.connect() as connection:
            left = connection.exec_driver_sql(
                "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = 'public'"
            )
            assert left.scalars().all() == []
    command.upgrade(config, "head")
    assert differences(database) == []


@pytest.mark.postgresql
def test_the_queue_is_the_one_that_the_library_expects(fresh_postgresql: str) -> None:
    """Its tables come from the pinned release; another one whose tables differ is refused before anything is made."""
    engine = open_database(fresh_postgresql)
    schema.migrate(engine)
    assert {name for name in sa.inspect(engine).get_table_names() if name.startswith("procrastinate_")} == {
        "procrastinate_jobs", "procrastinate_events", "procrastinate_periodic_defers", "procrastinate_workers",
    }  # fmt: skip
    engine.dispose()


@pytest.mark.postgresql
def test_another_release_of_the_queue_is_refused(fresh_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = resources.files
    changed = SimpleNamespace(read_bytes=lambda: b"-- another schema")

    class Folder:
        def __truediv__(self, name: str) -> Any:
            return changed if name == "schema.sql" else self

    monkeypatch.setattr(resources, "files", lambda package: Folder() if package == "procrastinate" else real(package))
    engine = open_database(fresh_postgresql)
    with pytest.raises(RuntimeError, match=r"3\.10\.0"):
        schema.migrate(engine)
    assert not [name for name in sa.inspect(engine).get_table_names() if name.startswith("procrastinate_")]
    engine.dispose()


def test_there_is_one_head() -> None:
    script = ScriptDirectory(str(schema.MIGRATIONS))
    assert len(script.get_heads()) == 1


def test_the_record_is_guarded(database: sa.Engine) -> None:
    schema.migrate(database)
    assert len(triggers(database)) == (2 if database.dialect.name == "sqlite" else 1) * len(APPEND_ONLY)
    for statement in ("UPDATE history SET person = 'x'", "DELETE FROM history"):
        with database.begin() as connection:
            connection.execute(
                metadata.tables["history"].insert().values(
                    chain="x", seq=int(statement.startswith("D")), organisation="office", tag="x.y", at=_NOW, person="p", data="{}", previous="", digest="",
                )
            )  # fmt: skip
        with pytest.raises(sa.exc.DatabaseError, match="append-only"), database.begin() as connection:
            connection.exec_driver_sql(statement)


def test_no_foreign_key_cascades_into_the_record() -> None:
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            assert key.ondelete is None and key.onupdate is None
    assert not metadata.tables["history"].foreign_keys


def test_ids_are_not_used_again(database: sa.Engine) -> None:
    """Else a late acknowledgement would delete another job."""
    schema.migrate(database)
    jobs = metadata.tables["job"]
    ids = []
    for _ in range(2):
        with database.begin() as connection:
            ids.append(connection.scalar(jobs.insert().values(kind="timer", key="x", payload="{}").returning(jobs.c.id)))
            connection.execute(jobs.delete())
    assert ids[0] != ids[1]


def test_the_embedded_database_is_safe_against_power_cuts(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'deep' / 'new.sqlite'}")
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}


_NOW = metadata.tables["history"].c.at.type.process_result_value(0, None)
