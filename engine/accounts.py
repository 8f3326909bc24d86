"""Signing in: passwords (argon2id), delays after failures, and sessions that the server can end."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import ARGON2_VERSION

from engine.clock import civil_day
from engine.errors import FormInvalid, Locked, SignInRefused, TadachiError
from engine.model import person, session
from engine.people import account_open
from engine.rules import PasswordRules

#: For people who belong to no office yet; an office's `[password]` may ask for more.
MINIMUM_PASSWORD = 12
#: A session's last use is written at most this often: reading a page should not cost a write.
TOUCH_EVERY = timedelta(minutes=1)

# Of every page, built once.
_SESSION = (
    sa.select(session.c.person, session.c.seen_at, session.c.idle_seconds, session.c.ends_at)
    .join(person, person.c.id == session.c.person)
    .where(session.c.id == sa.bindparam("key"), session.c.ended_at.is_(None), account_open())
)
_hasher = PasswordHasher()
_COMMON = frozenset({"password1234", "passwordpassword", "123456789012", "qwertyuiopas", "administrator", "tadachitadachi"})


def hash_password(password: str) -> str:
    """The argon2id hash of a password."""
    return _hasher.hash(_bytes(password))


def _nobody() -> str:
    """What is verified against when the id is unknown, so that both answers take the same time: a hash of no password."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (_hasher.salt_len, _hasher.hash_len))
    return f"$argon2id$v={ARGON2_VERSION}$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"


def _bytes(password: str) -> bytes:
    """A password as it is hashed: anything that can be typed or posted, half characters included, is just right or wrong."""
    return password.encode("utf-8", "surrogatepass")


def check_new_password(password: str, person_id: str, minimum_length: int = MINIMUM_PASSWORD) -> None:
    """Raise FormInvalid unless a new password is long enough, not common, and not the id."""
    if len(password) < minimum_length:
        raise FormInvalid({"new": f"パスワードは{minimum_length}文字以上にしてください。"})
    if len(password) > 200:
        raise FormInvalid({"new": "パスワードは200文字以内にしてください。"})
    if password.lower() in _COMMON or password == person_id or len(set(password)) < 4:
        raise FormInvalid({"new": "推測されやすいパスワードは使えません。"})


def check_password(connection: sa.Connection, person_id: str, password: str, now: datetime) -> TadachiError | None:
    """None when the password is right, otherwise the refusal; takes the same time and says the same for unknown and locked ids.

    Only reads: the hash takes tens of milliseconds, and no write transaction should last that long.
    """
    row = connection.execute(sa.select(person).where(person.c.id == person_id)).first()
    open_today = row is not None and row.disabled_at is None and (row.ends_on is None or row.ends_on >= civil_day(now))
    usable = open_today and row is not None and row.password_hash
    try:
        _hasher.verify(row.password_hash if row is not None and usable else _nobody(), _bytes(password))
        matches = bool(usable)
    except VerificationError:
        matches = False
    if row is not None and row.locked_until is not None and row.locked_until > now:
        return Locked(person=person_id)
    return None if matches else SignInRefused(person=person_id)


def record_sign_in(connection: sa.Connection, person_id: str, refused: TadachiError | None, now: datetime, rules: PasswordRules) -> None:
    """Count a failure, lock after as many as the office allows, or clear the count."""
    mine = person.c.id == person_id
    if refused is None:
        connection.execute(person.update().where(mine, person.c.failed_sign_ins > 0).values(failed_sign_ins=0, locked_until=None))
    elif not isinstance(refused, Locked):
        connection.execute(person.update().where(mine).values(failed_sign_ins=person.c.failed_sign_ins + 1))
        too_many = person.c.failed_sign_ins >= rules.failures
        connection.execute(person.update().where(mine, too_many).values(failed_sign_ins=0, locked_until=now + rules.lock))


def change_password(connection: sa.Connection, person_id: str, old: str, new: str, rules: PasswordRules) -> None:
    """Replace one's own password.

    Raises:
        FormInvalid: the old one is wrong, or the new one is too weak.
    """
    known = connection.scalar(sa.select(person.c.password_hash).where(person.c.id == person_id))
    try:
        _hasher.verify(known or _nobody(), _bytes(old))
    except VerificationError:
        raise FormInvalid({"old": "現在のパスワードが違います。"}) from None
    check_new_password(new, person_id, rules.minimum_length)
    connection.execute(person.update().where(person.c.id == person_id).values(password_hash=hash_password(new)))


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(connection: sa.Connection, person_id: str, now: datetime, idle: timedelta, absolute: timedelta) -> str:
    """A new session that ends after lying idle, and in any case after a while; returns the cookie's token, of which only a hash is stored."""
    token = secrets.token_urlsafe(32)
    values = {"id": _key(token), "person": person_id, "created_at": now, "seen_at": now}
    connection.execute(session.insert().values(**values, idle_seconds=int(idle.total_seconds()), ends_at=now + absolute))
    return token


def session_person(connection: sa.Connection, token: str, now: datetime) -> tuple[str, bool] | None:
    """(person id, whether the last use should be written), or None when ended, idle too long, or the account was ended."""
    row = connection.execute(_SESSION, {"key": _key(token), "on_day": civil_day(now)}).first()
    if row is None or now - row.seen_at > timedelta(seconds=row.idle_seconds) or now > row.ends_at:
        return None
    return row.person, now - row.seen_at > TOUCH_EVERY


def touch_session(connection: sa.Connection, token: str, now: datetime) -> None:
    """Write that the session was used."""
    connection.execute(session.update().where(session.c.id == _key(token)).values(seen_at=now))


def end_session(connection: sa.Connection, token: str, now: datetime) -> None:
    """End one session at once."""
    connection.execute(session.update().where(session.c.id == _key(token), session.c.ended_at.is_(None)).values(ended_at=now))


def end_sessions_of(connection: sa.Connection, person_id: str, now: datetime, keep: str | None = None) -> None:
    """End every session of a person, except perhaps the one in use."""
    query = session.update().where(session.c.person == person_id, session.c.ended_at.is_(None))
    if keep is not None:
        query = query.where(session.c.id != _key(keep))
    connection.execute(query.values(ended_at=now))
