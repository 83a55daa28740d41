"""How the rows of sign-ins are made: of Microsoft's codes, and of the errors of the standards."""

from relay.rules.answers.row import About, Explanation, Row, Stage


def entra(numbers: str, about: About, *, english: Explanation, german: Explanation, needs_consent: bool = False) -> Row:
    """Make the row of one or more AADSTS codes, given with blanks between them; the first one names it.

    Microsoft's codes explain; what is done follows from `error` alone (Entra: "Handling errors").
    """
    wanted = numbers.split()
    return Row(
        name=f"aadsts_{wanted[0]}",
        about=about,
        stages=frozenset({Stage.SIGN_IN}),
        says=rf"\baadsts(?:{'|'.join(wanted)})\b",
        english=english,
        german=german,
        source="Microsoft Entra: authentication and authorization error codes",
        needs_consent=needs_consent,
    )


def oauth(errors: str, about: About, *, english: Explanation, german: Explanation) -> Row:
    """Make the row of one or more errors, given with blanks between them; the first one names it."""
    wanted = errors.split()
    return Row(
        name=wanted[0],
        about=about,
        stages=frozenset({Stage.SIGN_IN}),
        says=rf"^(?:{'|'.join(wanted)})\b",
        english=english,
        german=german,
        source="RFC 6749 section 5.2, RFC 8628 section 3.5",
    )
