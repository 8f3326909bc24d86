"""Where people sign in from, behind one interface: a password kept here, or a service that vouches for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine import Settings, SignInRefused, TadachiError

if TYPE_CHECKING:
    from engine import Engine

LOCAL = "local"


class SourceUnavailable(TadachiError):
    """The service that vouches for people does not answer; nothing is known of who wanted to sign in."""

    message = "認証基盤につながりませんでした。しばらくしてから、もう一度お試しください。"


class AnswerRefused(SignInRefused):
    """What came back does not prove who it is, or does not belong to this browser; why stands in the log only."""

    message = "認証の結果を確かめられませんでした。お手数ですが、もう一度はじめからログインしてください。"


class Declined(SignInRefused):
    """The service did not let the person in, or the person turned back there."""

    message = "認証基盤でのサインインが、取りやめられたか、認められませんでした。"


@dataclass(frozen=True)
class Elsewhere:
    """The person is sent to another site. `pending` is kept in the browser's signed cookie, by its `state`, until the person is back."""

    address: str
    pending: Mapping[str, str]


class SignInSource(Protocol):
    """A way of finding out who somebody is. `id` stands in the record and in addresses, `label` on the button."""

    @property
    def id(self) -> str:
        """Short name: small letters, digits, - and _."""
        ...

    @property
    def label(self) -> str:
        """What people read."""
        ...

    def begin(self, engine: Engine) -> Elsewhere | None:
        """Where to send the person, or None when our own form asks; raises SourceUnavailable."""
        ...

    def finish(self, engine: Engine, answer: Mapping[str, str], pending: Mapping[str, str]) -> str:
        """The person id that the answer proves, with the sign-in recorded.

        Args:
            answer: the form's fields, or what the other site sent back.
            pending: what `begin` gave, when it sent the person elsewhere.

        Raises:
            SignInRefused: it proves nothing, or nobody here.
            SourceUnavailable: the service did not answer.
        """
        ...

    def sign_out_address(self) -> str | None:
        """Where the person ends the sign-in at the service itself, when that is possible."""
        ...


class LocalPassword:
    """Person id and password, checked here."""

    id = LOCAL
    label = "利用者IDとパスワード"

    def begin(self, engine: Engine) -> Elsewhere | None:
        """Our own form asks."""
        return None

    def finish(self, engine: Engine, answer: Mapping[str, str], pending: Mapping[str, str]) -> str:
        """The person of a right password; see `SignInSource.finish`."""
        return engine.sign_in(answer.get("person", "").strip(), answer.get("password", ""))

    def sign_out_address(self) -> str | None:
        """There is nothing elsewhere to end."""
        return None


def sources(settings: Settings) -> tuple[SignInSource, ...]:
    """The sources an installation has decided for; raises SettingsBroken."""
    found: list[SignInSource] = [LocalPassword()] if settings.local_passwords else []
    if settings.open_id is not None:
        from webui.openid import OpenIdConnect  # its libraries are loaded where they are used

        found.append(OpenIdConnect(settings.open_id, settings.base_url))
    return tuple(found)
