"""Where each provider of tokens is asked, and for what: endpoints, scopes, and the page on which a person signs in.

Microsoft: "Authenticate an IMAP, POP or SMTP connection using OAuth". Google: "OAuth 2.0 for Mobile & Desktop Apps".
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from relay.model.oauth import Flow, OAuth, Provider

_MICROSOFT: Final = "https://login.microsoftonline.com"
_MICROSOFT_SCOPES: Final = {
    "smtp": "https://outlook.office.com/SMTP.Send",
    "pop3": "https://outlook.office.com/POP.AccessAsUser.All",
    "imap": "https://outlook.office.com/IMAP.AccessAsUser.All",
}
_MICROSOFT_APP: Final = "https://outlook.office365.com/.default"
_MICROSOFT_MAILBOX_APP: Final = "https://ps.outlook.com/.default"
"""What an administrator allows an app that only collects; its tokens are asked for as those of the others."""
_GOOGLE_SCOPE: Final = "https://mail.google.com/"
_VISIBLE: Final = re.compile(r"[!-~]+")
"""What codes are made of (RFC 6749 appendix A.11, where blanks are allowed as well; no provider has them)."""
_MOST_PARAMETERS: Final = 50
_LONGEST_REDIRECT: Final = 16_384


class RedirectError(ValueError):
    """The address at which a browser has ended holds no code; says what is wrong with it, and nothing of the code."""

    def __init__(self, english: str, german: str) -> None:
        super().__init__(english)
        self._german = german

    def by(self, language: str) -> str:
        """Give the reason in `de` or `en`, behind the words for the address."""
        return self._german if language == "de" else str(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """The addresses of one issuer; None where it has none for that flow."""

    token: str
    device: str | None = None
    authorize: str | None = None
    issuer: str | None = None
    """What it calls itself in each answer of its page (RFC 9207 section 2.4): one without it is not its own.

    None where it may say nothing, so that what it says is compared by its origin alone. Google has it in its answers
    since 2026, and announces it; Microsoft does neither.
    """


def endpoints_of(oauth: OAuth) -> Endpoints:
    """Return where a login is asked for."""
    if oauth.provider is Provider.MICROSOFT:
        base = f"{_MICROSOFT}/{oauth.tenant or 'common'}/oauth2/v2.0"
        return Endpoints(token=f"{base}/token", device=f"{base}/devicecode", authorize=f"{base}/authorize")
    if oauth.provider is Provider.GOOGLE:
        return Endpoints(
            token="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
            authorize="https://accounts.google.com/o/oauth2/v2/auth",
            issuer="https://accounts.google.com",
        )
    return Endpoints(token=oauth.token_url or "", device=oauth.device_url, authorize=oauth.authorize_url)


def usual_flow(provider: str) -> str | None:
    """Return the flow that needs the least there; None where that is not known. Google has no device login for mail."""
    return {Provider.MICROSOFT.value: Flow.DEVICE.value, Provider.GOOGLE.value: Flow.BROWSER.value}.get(provider)


def needs_secret(provider: str, flow: str) -> bool:
    """Return whether the client needs a secret there, unless a certificate is in its place.

    An app proves itself by one; Google gives one to each client whose user signs in, and its service accounts none.
    """
    return flow == (Flow.BROWSER if provider == Provider.GOOGLE else Flow.APP)


def takes_secret(provider: str, flow: str) -> bool:
    """Return whether the client may have a secret there: not a public one, and no service account of Google."""
    return (provider, flow) not in ((Provider.MICROSOFT, Flow.DEVICE), (Provider.GOOGLE, Flow.APP))


def scopes_of(oauth: OAuth) -> tuple[str, ...]:
    """Return what a token is asked to be good for: no more than the protocols that the account uses."""
    if oauth.provider is Provider.CUSTOM:
        return oauth.scopes
    if oauth.provider is Provider.GOOGLE:
        return (_GOOGLE_SCOPE,)
    if oauth.flow is Flow.APP:
        return (_MICROSOFT_APP,)
    return (*(_MICROSOFT_SCOPES[protocol] for protocol in oauth.protocols), "offline_access")


def binding_of(oauth: OAuth) -> str:
    """Return what a login is bound to: where one of these differs, it is another login."""
    return f"{endpoints_of(oauth).token}\n{oauth.client_id}\n{oauth.user}\n{oauth.flow}"


def challenge_of(verifier: str) -> str:
    """Return the challenge of a code verifier, by S256 (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def sign_in_page(oauth: OAuth, *, redirect: str, state: str, verifier: str) -> str:
    """Return the address that the person opens (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

    Microsoft never gets `prompt=consent`: a user would be asked again for what an administrator has allowed. Google
    gives a refresh token again only where it gets it.
    """
    parameters = {
        "client_id": oauth.client_id,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": " ".join(scopes_of(oauth)),
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    if oauth.provider is Provider.GOOGLE:
        parameters |= {"access_type": "offline", "prompt": "consent"}
    if oauth.provider is not Provider.CUSTOM:
        parameters["login_hint"] = oauth.user
    page = endpoints_of(oauth).authorize or ""
    return f"{page}{'&' if urlsplit(page).query else '?'}{urlencode(parameters)}"


def consent_page(oauth: OAuth, *, redirect: str) -> str | None:
    """Return the address at which an administrator of the directory allows it for all; None where there is none."""
    if oauth.provider is not Provider.MICROSOFT or oauth.tenant in (None, "common", "consumers"):
        return None
    scopes = " ".join(scopes_of(oauth))
    if oauth.flow is Flow.APP:
        scopes = _MICROSOFT_APP if "smtp" in oauth.protocols else _MICROSOFT_MAILBOX_APP
    query = urlencode({"client_id": oauth.client_id, "redirect_uri": redirect, "scope": scopes})
    return f"{_MICROSOFT}/{oauth.tenant}/v2.0/adminconsent?{query}"


def read_redirect(text: str, *, endpoints: Endpoints, state: str) -> str:
    """Return the code in the address at which a browser has ended (RFC 6749 section 4.1.2, RFC 9207).

    Raises RedirectError.
    """
    text = text.strip()
    if len(text) > _LONGEST_REDIRECT:
        raise RedirectError("is too long to be the address of that page", "ist zu lang für die Adresse dieser Seite")
    query = text.partition("?")[2].partition("#")[0]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        pairs = []
    found = dict(pairs)
    if len(found) < len(pairs) or not ("code" in found or "error" in found):
        raise RedirectError(
            "is not the address of the page on which the browser ended: it holds ?code=... or ?error=...",
            "ist nicht die Adresse der Seite, auf der der Browser endete: darin steht ?code=... oder ?error=...",
        )
    if found.get("state") != state:
        raise RedirectError(
            "belongs to another attempt to sign in: begin anew, and use the address that is shown then",
            "gehört zu einem anderen Versuch, sich anzumelden: beginnen Sie von vorn, mit der Adresse, die dann gezeigt"
            " wird",
        )
    issuer = found.get("iss")
    if issuer is not None and not _is_issuer(issuer, endpoints):
        raise RedirectError(
            "comes from another issuer than the one that was asked: do not go on, somebody interferes",
            "kommt von einem anderen Aussteller als dem gefragten: machen Sie nicht weiter, jemand mischt sich ein",
        )
    if issuer is None and endpoints.issuer is not None and "code" in found:
        raise RedirectError(
            f"does not name the issuer {endpoints.issuer} (iss=...): copy the whole address anew",
            f"nennt den Aussteller {endpoints.issuer} nicht (iss=...): kopieren Sie die ganze Adresse noch einmal",
        )
    if "error" in found:
        said = f"{clean(found['error'])} {clean(found.get('error_description', ''))}"
        raise RedirectError(f"says that the provider refused: {said}", f"sagt, dass der Anbieter ablehnt: {said}")
    if not found["code"]:
        raise RedirectError("holds no code", "enthält keinen Code")
    if _VISIBLE.fullmatch(found["code"]) is None:
        raise RedirectError(
            "holds a code with signs that no provider gives: copy the whole address anew",
            "enthält einen Code mit Zeichen, die kein Anbieter vergibt: kopieren Sie die ganze Adresse noch einmal",
        )
    return found["code"]


def clean(text: str, most: int = 300) -> str:
    """Return a stranger's words fit for a line: printable, of one line, cut."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "?" for sign in line)[:most]


def _is_issuer(issuer: str, endpoints: Endpoints) -> bool:
    if endpoints.issuer is not None:
        return issuer == endpoints.issuer
    return _origin(issuer) == _origin(endpoints.authorize or "")


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.lower()
