from relay.intake.content_limits import refuse_header, refuse_octets
from relay.rules.message_splitter import MessageSplitter


def test_a_mail_may_have_so_many_octets_and_no_line_beyond_all_limits() -> None:
    assert refuse_octets(10, most=10, too_long=False) is None
    for size, too_long, reason, code in ((11, False, "too_large", 552), (9, True, "long_line", 554)):
        refusal = refuse_octets(size, most=10, too_long=too_long)
        assert refusal is not None
        assert (refusal.reason, refusal.reply.code) == (reason, code)


def test_a_header_is_refused_as_soon_as_its_fault_is_seen() -> None:
    splitter = MessageSplitter(header_limit=40)
    splitter.feed(b"A: b\r\nno field\r\nBc")
    assert refuse_header(splitter, most=40) is None
    splitter.feed(b"c:")
    refusal = refuse_header(splitter, most=40)
    assert refusal is not None
    assert str(refusal.reply).startswith("554 5.6.0 Line 2 ")
    splitter = MessageSplitter(header_limit=40)
    splitter.feed(b"A: b\r\n" * 9)
    refusal = refuse_header(splitter, most=40)
    assert refusal is not None
    assert (refusal.reason, refusal.reply.code) == ("large_header", 552)
