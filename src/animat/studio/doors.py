"""Who may come in: the token, and what a browser says about the page that asks."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from animat.errors import AnimatError

__all__ = ["LOCAL_ORIGINS", "Doors", "is_loopback", "token_from"]

#: Pages of this machine, whatever their port.
LOCAL_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True)
class Doors:
    """The checks that every request passes.

    Parameters
    ----------
    token
        What a request must show; None: nothing, and then only programs and pages of this machine are let in.
    origins
        Pages from elsewhere that may ask too; ``*`` for all.
    """

    token: str | None
    origins: tuple[str, ...] = ()

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return the status and reason for which a request is refused, if it is."""
        if self.token is None:
            return self._foreign(headers)
        shown = _shown_token(headers)
        if shown is None:
            return 401, "this server wants its token, which it printed when it started, in the header NESTServerAuth"
        if not secrets.compare_digest(shown.encode(errors="replace"), self.token.encode()):
            return 403, "the token in the header NESTServerAuth is not this server's"
        return None

    def _foreign(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if re.sub(r":\d+$", "", host) not in _LOOPBACK:
            return 403, f"without a token only requests to this machine's own name are served, not to {host!r}"
        origin = headers.get("origin")
        if origin is None and headers.get("sec-fetch-site") == "cross-site":
            origin = "another site"
        if origin is None or "*" in self.origins or origin in self.origins or re.fullmatch(LOCAL_ORIGINS, origin):
            return None
        return 403, f"pages from {origin} may not use this server (--cors)"


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server at this address."""
    return host in _LOOPBACK


def token_from(file: Path | None) -> str:
    """Return the token in a file (written if it does not exist), in NEST_SERVER_ACCESS_TOKEN, or a random one."""
    if file is None:
        return os.environ.get("NEST_SERVER_ACCESS_TOKEN") or secrets.token_hex(24)
    try:
        token = _written_token(file) if not file.exists() else file.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise AnimatError(f"cannot use this token file: {error}", file=file) from None
    if not token:
        raise AnimatError("the token file is empty; delete it to have one written", file=file)
    return token


def _written_token(file: Path) -> str:
    token = secrets.token_hex(24)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(token + "\n")
    return token


def _shown_token(headers: Mapping[str, str]) -> str | None:
    """Return what a request shows: NESTServerAuth, a bearer token, or the password of basic authentication."""
    if "nestserverauth" in headers:
        return headers["nestserverauth"]
    kind, _, rest = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest).decode().partition(":")[2]
        except (binascii.Error, UnicodeError):
            return ""
    return None
