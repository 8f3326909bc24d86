"""Signing in by OpenID Connect: authorization code with PKCE, and an ID token that is checked before anybody is let in."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException

from engine import IdentityUnknown, OpenIdSettings, is_safe_address
from webui.sign_in import AnswerRefused, Declined, Elsewhere, SourceUnavailable

if TYPE_CHECKING:
    from engine import Engine

logger = logging.getLogger(__name__)

#: Signatures that the provider alone can make; a shared secret or none at all proves nothing.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
#: How long what the provider says of itself is believed, and how long nobody waits again for one that did not answer.
BELIEVED, LEFT_ALONE = timedelta(hours=1), timedelta(seconds=10)
CLOCK_SKEW = 60  # seconds
MOST_BYTES = 1_000_000
SECONDS = 5.0


class OpenIdConnect:
    """A provider of OpenID Connect, asked for nothing but who somebody is.

    Args:
        settings: which provider, and which claim says who.
        base_url: the address of this site; the provider must know `{base_url}/login/oidc/return` as redirect URI.
        seconds: how long the provider may take to connect and to answer.
    """

    id = "oidc"

    def __init__(self, settings: OpenIdSettings, base_url: str, *, seconds: float = SECONDS) -> None:
        self.settings = settings
        self.label = settings.name
        self._redirect_uri = f"{base_url.rstrip('/')}/login/{self.id}/return"
        self._secret = settings.secret.reveal()
        self._seconds = seconds
        self._provider: dict[str, Any] = {}
        self._read_at: datetime | None = None
        self._failed_at: datetime | None = None
        self._keys: KeySet | None = None

    def begin(self, engine: Engine) -> Elsewhere:
        """Send the person to the provider; see `SignInSource.begin`."""
        provider = self._known(engine.clock.now())
        pending = {"state": secrets.token_urlsafe(24), "nonce": secrets.token_urlsafe(24), "verifier": secrets.token_urlsafe(48)}
        with self._session() as session:
            address, _ = session.create_authorization_url(
                provider["authorization_endpoint"], state=pending["state"], nonce=pending["nonce"], code_verifier=pending["verifier"]
            )
        return Elsewhere(address, pending)

    def finish(self, engine: Engine, answer: Mapping[str, str], pending: Mapping[str, str]) -> str:
        """The person whom the provider vouches for; see `SignInSource.finish`."""
        now = engine.clock.now()
        if not hmac.compare_digest(answer.get("state", "").encode(), pending["state"].encode()):
            raise self._refused("the state is another one")
        provider = self._known(now)
        if answer.get("iss", provider["issuer"]) != provider["issuer"]:  # RFC 9207: the answer of another provider
            raise self._refused("the answer names another issuer")
        if answer.get("error"):
            logger.info("the provider declined: %r", answer["error"][:100])
            raise Declined()
        if not answer.get("code"):
            raise self._refused("there is no code")
        claims = self._claims(provider, self._token(provider, answer["code"], pending["verifier"]), pending["nonce"], now)
        subject = claims.get(self.settings.claim)
        if not isinstance(subject, str) or not subject:
            raise self._refused(f"the claim {self.settings.claim} is missing")
        if self.settings.claim == "email" and claims.get("email_verified") is not True:
            raise self._refused("the address is not verified")
        try:
            return engine.sign_in_by(self.id, subject, as_id=self.settings.claim != "sub")
        except IdentityUnknown:
            logger.warning("nobody here is linked with %s %r", self.id, subject[:255])  # what an administrator has to link
            raise

    def sign_out_address(self) -> str | None:
        """The provider's own sign-out, if it has told of one; nobody waits for it here."""
        address = self._provider.get("end_session_endpoint")
        if not isinstance(address, str) or not is_safe_address(address):
            return None
        return f"{address}{'&' if '?' in address else '?'}{urlencode({'client_id': self.settings.client_id})}"

    # ---------------------------------------------------------------- the provider

    def _session(self, **more: Any) -> OAuth2Session:
        return OAuth2Session(
            self.settings.client_id,
            self._secret or None,
            scope="openid" if self.settings.claim == "sub" else "openid profile email",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            default_timeout=self._seconds,
            **more,
        )

    def _known(self, now: datetime) -> dict[str, Any]:
        """What the provider says of itself; an old answer serves while there is no new one."""
        if self._read_at is not None and timedelta(0) <= now - self._read_at < BELIEVED:
            return self._provider
        resting = self._failed_at is not None and timedelta(0) <= now - self._failed_at < LEFT_ALONE
        try:
            if resting:
                raise SourceUnavailable()
            found = self._read(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.settings.issuer:
                raise self._unusable(f"it calls itself {str(found.get('issuer'))[:200]!r}, not {self.settings.issuer!r}")
            for name in ENDPOINTS:
                if not isinstance(found.get(name), str) or not is_safe_address(found[name]):
                    raise self._unusable(f"its {name} is missing or not https")
        except SourceUnavailable:
            self._failed_at = self._failed_at if resting else now
            if self._provider:
                return self._provider
            raise
        self._provider, self._read_at, self._failed_at, self._keys = found, now, None, None
        return found

    def _read(self, address: str) -> dict[str, Any]:
        """A JSON object of the provider's, of bounded size, from this very address."""
        try:
            with (
                self._session() as session,
                session.get(address, withhold_token=True, allow_redirects=False, stream=True) as response,
            ):
                content = b""
                for part in response.iter_content(65_536):
                    content += part
                    if len(content) > MOST_BYTES:
                        break
                if response.status_code != 200 or len(content) > MOST_BYTES:
                    raise self._unusable(f"{address} answered {response.status_code} with {len(content)} bytes")
            found = json.loads(content)
        except (RequestException, OSError, ValueError, RecursionError) as error:
            raise self._unusable(f"{address}: {error}") from None
        if not isinstance(found, dict):
            raise self._unusable(f"{address} is no JSON object")
        return found

    def _token(self, provider: Mapping[str, Any], code: str, verifier: str) -> Mapping[str, Any]:
        """The provider's answer to the code."""
        offered = provider.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "none" if not self._secret else "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        try:
            with self._session(token_endpoint_auth_method=method) as session:
                token: Mapping[str, Any] = session.fetch_token(
                    provider["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=verifier, allow_redirects=False
                )
        except OAuthError as error:
            raise self._refused(f"the provider does not take the code: {error.error}") from None
        except RequestException as error:
            raise self._unusable(f"{provider['token_endpoint']}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise self._refused(f"the answer to the code cannot be read: {error}") from None
        return token

    def _claims(self, provider: Mapping[str, Any], token: Mapping[str, Any], nonce: str, now: datetime) -> Mapping[str, Any]:
        """What the ID token says, if it is the provider's, for us, for this sign-in, and of now."""
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        wanted = {
            "iss": {"essential": True, "value": provider["issuer"]},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        given = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
        try:
            signed = str(token["id_token"])
            try:
                decoded = jwt.decode(signed, self._key_set(provider), registry=registry)
            except InvalidKeyIdError:  # the provider has changed its keys
                decoded = jwt.decode(signed, self._key_set(provider, again=True), registry=registry)
            claims = CodeIDToken(decoded.claims, decoded.header, wanted, given)
            claims.validate(now=int(now.timestamp()), leeway=CLOCK_SKEW)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._refused(f"the ID token: {type(error).__name__}: {error}") from None
        return dict(claims)

    def _key_set(self, provider: Mapping[str, Any], *, again: bool = False) -> KeySet:
        if self._keys is None or again:
            self._keys = KeySet.import_key_set(self._read(provider["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys

    # ---------------------------------------------------------------- refusals

    def _refused(self, why: str) -> AnswerRefused:
        logger.warning("an answer of %s was refused: %s", self.settings.issuer, why)
        return AnswerRefused()

    def _unusable(self, why: str) -> SourceUnavailable:
        logger.warning("%s cannot be used: %s", self.settings.issuer, why)
        return SourceUnavailable()
