"""A real authorization server over HTTP, and the faults that no other one makes on demand.

It knows one client and one user. It issues tokens by device code, authorization code with PKCE, client credentials and
service account, and says of a token whose it is (RFC 7662), as Dovecot asks. It needs the standard library alone: run
as a program (with a port, and the client's secret if it has one) it serves on a machine that has nothing of ours.
"""

import base64
import contextlib
import hashlib
import json
import math
import secrets
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT = "the-client"
USER = "anna@example.com"


class Rotation(Enum):
    """What becomes of a refresh token that was used."""

    NONE = "none"
    """It stays, and there is no new one, as at Google."""
    KIND = "kind"
    """A new one comes; the old one holds until the new one is used."""
    STRICT = "strict"
    """A new one comes, and the old one is dead at once; who uses it again loses all of them."""


@dataclass(kw_only=True)
class OAuthServer:
    """A context manager that runs it on loopback."""

    port: int = 0
    """0: a free one."""
    life: int = 3600
    renewal_life: int = 0
    """Seconds after which a login ends whatever is done, as it says; 0: it says nothing."""
    scope: str = ""
    """What it says that it has granted; empty: it says nothing."""
    claims: dict[str, str] = field(default_factory=dict)
    """What its access tokens say of who has signed in; empty: they are no JWT."""
    rotation: Rotation = Rotation.KIND
    secret: str = ""
    """The client's; empty: a public client."""
    is_down: bool = False
    """Whether it answers 503 to everything."""
    refusal: dict[str, str] | None = None
    """What the token endpoint answers with 400, in place of tokens."""
    signed_in: threading.Event = field(default_factory=threading.Event)
    """Set once the user has typed in the code of a device."""
    interval: int = 1
    clock: Callable[[], float] = time.monotonic
    """Seconds; by it tokens end."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The forms that the token endpoint got."""
    was_asked: threading.Event = field(default_factory=threading.Event)
    """Set once there is one."""
    before_answer: threading.Event | None = None
    """Waited for before tokens are given; by then the old ones are used up."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._access: dict[str, float] = {}
        """Access tokens, each with its end, by `clock`."""
        self._refresh: dict[str, str | None] = {}
        """Refresh tokens that hold, each with the one that it replaced and that still holds."""
        self._dead: set[str] = set()
        self._codes: dict[str, tuple[str, str]] = {}
        """Codes, each with the challenge and the address that they were given for."""
        self.issued: set[str] = set()
        """Everything secret that it ever gave."""

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._get(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                server._post(self, {key: values[0] for key, values in parse_qs(body).items()})

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library has it
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where its paths are below."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def settings(self, flow: str, **more: str) -> dict[str, Any]:
        """Give the table `[account.oauth]` for it."""
        secret = {"client_secret": self.secret} if self.secret else {}
        urls = {f"{name}_url": f"{self.url}/{name}" for name in ("token", "device", "authorize")}
        return {
            "provider": "custom", "flow": flow, "client_id": CLIENT, "user": USER, **secret, **urls,
            "scopes": ["mail"], **more,
        }  # fmt: skip

    def sign_in(self) -> dict[str, Any]:
        """Give tokens as for somebody who has signed in."""
        with self._lock:
            return self._give(refresh=True)

    def revoke(self) -> None:
        """End all logins."""
        with self._lock:
            self._dead |= set(self._refresh)
            self._refresh.clear()
            self._access.clear()

    def withdraw(self) -> None:
        """End all access tokens; the logins go on."""
        with self._lock:
            self._access.clear()

    def holds(self, access: str) -> bool:
        """Tell whether an access token still holds."""
        with self._lock:
            return self._access.get(access, -math.inf) > self.clock()

    def _give(self, *, refresh: bool, replaces: str | None = None) -> dict[str, Any]:
        access = f"access-{secrets.token_hex(12)}"
        if self.claims:
            body = base64.urlsafe_b64encode(json.dumps(self.claims).encode()).rstrip(b"=").decode()
            access = f"{secrets.token_hex(12)}.{body}.{secrets.token_hex(12)}"
        self._access[access] = self.clock() + self.life
        self.issued.add(access)
        answer: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.life}
        if self.renewal_life:
            answer["refresh_token_expires_in"] = self.renewal_life
        if self.scope:
            answer["scope"] = self.scope
        if refresh:
            answer["refresh_token"] = new = f"refresh-{secrets.token_hex(12)}"
            self._refresh[new] = replaces
            self.issued.add(new)
        return answer

    def _refreshed(self, old: str) -> dict[str, Any] | None:
        if old not in self._refresh:
            if old in self._dead and self.rotation is Rotation.STRICT:  # RFC 9700 section 4.14.2
                self._dead |= set(self._refresh)
                self._refresh.clear()
            return None
        if (before := self._refresh[old]) is not None:
            self._refresh.pop(before, None)
            self._dead.add(before)
            self._refresh[old] = None
        if self.rotation is Rotation.NONE:
            return self._give(refresh=False)
        if self.rotation is Rotation.STRICT:
            del self._refresh[old]
            self._dead.add(old)
            return self._give(refresh=True)
        # One that was given for the same old one and never used is of no more use.
        for unused in [new for new, replaced in self._refresh.items() if replaced == old]:
            del self._refresh[unused]
        return self._give(refresh=True, replaces=old)

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/introspect":
            token = handler.headers.get("Authorization", "").removeprefix("Bearer ") or query.get("token", "")
            if self.holds(token):
                _answer(handler, 200, {"active": True, "email": USER, "username": USER, "scope": "mail"})
            else:
                _answer(handler, 200, {"active": False})
            return
        if parts.path == "/type-it-in":  # the user opens the page, and does what it asks for
            self.signed_in.set()
            _answer(handler, 200, {})
            return
        code = f"code-{secrets.token_hex(12)}"
        self.issued.add(code)
        self._codes[code] = query["code_challenge"], query["redirect_uri"]
        handler.send_response(302)
        back = urlencode({"code": code, "state": query["state"], "iss": self.url})
        handler.send_header("Location", f"{query['redirect_uri']}/?{back}")
        handler.end_headers()

    def _post(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        if self.is_down:
            _answer(handler, 503, {})
        elif handler.path == "/device":
            code = f"device-{secrets.token_hex(12)}"
            self.issued.add(code)
            shown = {"user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/type-it-in"}
            _answer(handler, 200, {"device_code": code, **shown, "expires_in": 900, "interval": self.interval})
        else:
            with self._lock:
                self.asked.append(form)
                self.was_asked.set()
                status, answer = self._token(form)
            if (held := self.before_answer) is not None:
                held.wait(30)
            _answer(handler, status, answer)

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.refusal is not None:
            return 400, self.refusal
        if "assertion" not in form and form.get("client_id") != CLIENT:
            return 400, {"error": "invalid_client"}
        if self.secret and form.get("client_secret") != self.secret and "client_assertion" not in form:
            return 401, {"error": "invalid_client"}
        grant = form.get("grant_type", "").rpartition(":")[2]
        if grant == "device_code" and not self.signed_in.is_set():
            return 400, {"error": "authorization_pending"}
        answer = self._granted(grant, form)
        if answer is None:
            return 400, {"error": "invalid_grant", "error_description": "it is over"}
        return 200, answer

    def _granted(self, grant: str, form: dict[str, str]) -> dict[str, Any] | None:
        if grant == "refresh_token":
            return self._refreshed(form["refresh_token"])
        if grant == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), form["redirect_uri"]
            return self._give(refresh=True) if self._codes.pop(form["code"], None) == proof else None
        return self._give(refresh=grant == "device_code")


class _Stop(urllib.request.HTTPRedirectHandler):
    """Stops where the browser would go on to this computer."""

    def redirect_request(self, *_: object) -> None:
        return None


def end_of(page: str) -> str:
    """Return the address at which a browser ends that opens the page on which somebody signs in."""
    try:
        urllib.request.build_opener(_Stop).open(page)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("it leads nowhere")


def _answer(handler: BaseHTTPRequestHandler, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    with contextlib.suppress(OSError):  # who asked was killed
        handler.wfile.write(body)


if __name__ == "__main__":
    with OAuthServer(port=int(sys.argv[1]), secret="".join(sys.argv[2:])):
        threading.Event().wait()
