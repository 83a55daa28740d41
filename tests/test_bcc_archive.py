import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.bcc_archive import make_stripper, plan_archive
from relay.model.account import Account, ArchivePolicy
from relay.model.address import Address


def address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local=local, domain=domain)


def account(*, archive: bool | tuple[Address, ...] = True) -> Account:
    return Account(name="sales", address=SALES, owner="anna", archive=archive)


SALES = address("sales@example.com")
CUSTOMER = address("customer@example.net")
CENTRAL = address("central@example.com")
OTHER = address("other@example.com")
POLICY = ArchivePolicy(bcc=(CENTRAL,), strip_tiff=True)


def test_every_outgoing_mail_goes_to_the_archive() -> None:
    plan = plan_archive(policy=POLICY, account=account(), reverse_path=SALES, recipients=[CUSTOMER])
    assert plan.recipients == (CENTRAL,)
    assert plan.strip
    assert plan.steps == (
        "A blind copy goes to central@example.com: every outgoing mail goes there.",
        "TIFF attachments are taken out of the blind copy, unless the mail is signed or encrypted.",
    )


def test_nothing_is_stripped_unless_it_is_wanted() -> None:
    policy = ArchivePolicy(bcc=(CENTRAL,))
    plan = plan_archive(policy=policy, account=account(), reverse_path=SALES, recipients=[CUSTOMER])
    assert plan.recipients == (CENTRAL,)
    assert not plan.strip


@pytest.mark.parametrize(
    ("policy", "chosen", "reverse_path", "why"),
    [
        (ArchivePolicy(strip_tiff=True), account(), SALES, "No blind copy: no archive address is configured."),
        (POLICY, account(archive=False), SALES, "No blind copy: account sales has archive = false."),
        (POLICY, account(archive=()), SALES, "No blind copy: no archive address is configured."),
        (POLICY, account(), None, "No blind copy: the mail has the null sender."),
        (POLICY, account(archive=(OTHER,)), None, "No blind copy: the mail has the null sender."),
    ],
)
def test_no_blind_copy(policy: ArchivePolicy, chosen: Account, reverse_path: Address | None, why: str) -> None:
    plan = plan_archive(policy=policy, account=chosen, reverse_path=reverse_path, recipients=[CUSTOMER])
    assert (plan.recipients, plan.strip, plan.steps) == ((), False, (why,))


def test_a_recipient_that_only_looks_like_the_archive_takes_no_copy_away() -> None:
    policy = ArchivePolicy(bcc=(address("backup@example.com"), address("jürgen@büro.example")))
    for other, missing in (
        ("bac\u212aup@example.com", 2),
        ("BACKUP@EXAMPLE.com", 1),
        ("Ju\u0308rgen@xn--bro-hoa.example", 1),
    ):
        plan = plan_archive(policy=policy, account=account(), reverse_path=SALES, recipients=[address(other)])
        assert len(plan.recipients) == missing, other


def test_an_account_names_other_addresses() -> None:
    plan = plan_archive(policy=POLICY, account=account(archive=(OTHER,)), reverse_path=SALES, recipients=[CUSTOMER])
    assert plan.recipients == (OTHER,)
    assert plan.steps[0] == "A blind copy goes to other@example.com: account sales names its own addresses."


@pytest.mark.parametrize("spelling", ["Central@EXAMPLE.com", "CENTRAL@example.com"])
def test_not_twice_if_it_is_among_the_recipients_anyway(spelling: str) -> None:
    plan = plan_archive(policy=POLICY, account=account(), reverse_path=SALES, recipients=[CUSTOMER, address(spelling)])
    assert (plan.recipients, plan.strip) == ((), False)
    assert plan.steps == ("No blind copy to central@example.com: it is among the recipients anyway.",)


def test_domains_are_compared_in_their_ascii_form() -> None:
    policy = ArchivePolicy(bcc=(address("central@bücher.example"),))
    recipients = [address("central@xn--bcher-kva.example")]
    assert plan_archive(policy=policy, account=account(), reverse_path=SALES, recipients=recipients).recipients == ()


ADDRESSES = st.builds(
    Address,
    local=st.sampled_from(["a", "A", "b", "c d"]),
    domain=st.sampled_from(["x.example", "X.example", "y.example"]),
)


@given(
    st.lists(ADDRESSES, max_size=6).map(tuple),
    st.one_of(st.booleans(), st.lists(ADDRESSES, max_size=4).map(tuple)),
    st.none() | ADDRESSES,
    st.lists(ADDRESSES, max_size=6),
    st.booleans(),
)
def test_the_plan_of_any_mail(
    bcc: tuple[Address, ...],
    archive: bool | tuple[Address, ...],
    reverse_path: Address | None,
    recipients: list[Address],
    strip_tiff: bool,
) -> None:
    plan = plan_archive(
        policy=ArchivePolicy(bcc=bcc, strip_tiff=strip_tiff),
        account=account(archive=archive),
        reverse_path=reverse_path,
        recipients=recipients,
    )
    wanted = archive if isinstance(archive, tuple) else bcc if archive else ()
    keys = [each.key for each in plan.recipients]
    present = {each.key for each in recipients}
    assert len(keys) == len(set(keys))
    assert set(keys) == (set() if reverse_path is None else {each.key for each in wanted} - present)
    assert set(plan.recipients) <= set(wanted)
    assert plan.strip == (strip_tiff and bool(keys))
    assert plan.steps


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Subject: no MIME\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n",
        b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b\r\n',
        b"Content-Type: MULTIPART/Signed; boundary=b\r\n",
        b"Content-Type: multipart/encrypted; boundary=b\r\n",
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n",
        b"Content-Type: application/x-pkcs7-mime; name=a.tif\r\n",
        b"Content-Type: image/tiff\r\nthis is no field\r\n",
        b"Content-Type: application/octet-stream; name=a.tif.gpg\r\n",
        b"Content-Type: image/tiff" + b"; a=b" * 200 + b"\r\n",
    ],
)
def test_a_mail_that_is_archived_as_it_is(header: bytes) -> None:
    assert make_stripper(header, language="en") is None


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: image/tiff\r\n",
        b"Content-Type: application/octet-stream\r\n",
        b"Content-Type: text/plain; name=scan.tif\r\n",
        b"Content-Disposition: attachment; filename=scan.tif\r\n",
        b"Content-Type: message/rfc822\r\n",
    ],
)
def test_a_mail_that_may_hold_a_tiff(header: bytes) -> None:
    assert make_stripper(header, language="en") is not None


def test_the_language_of_the_text() -> None:
    stripper = make_stripper(b"Content-Type: image/tiff\r\n", language="de")
    assert stripper is not None
    assert (stripper.feed(b"II*\0") + stripper.close()).startswith(b"Anhang entfernt: (ohne Dateinamen)\r\n")
