import pytest

from bench import run
from bench.plan import Counts, list_cases


def test_each_case_says_how_much_it_takes() -> None:
    cases = {case.name: case.what for case in list_cases(Counts(messages=1234, sessions=7, large=9_000_000))}
    assert cases["kept"].startswith("1,234 mails of 4,096 octets over 7 sessions")
    assert "9,000,000 octets" in cases["large"]


def test_a_case_that_fails_lets_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> object:
        yield "one round"
        raise RuntimeError("broken")

    def lack() -> object:
        yield pytest.skip("needs the program x, from the package y")

    found = {"first": fail, "second": lack, "third": lambda: iter(["its figures"])}
    monkeypatch.setattr(run, "list_measurements", lambda *_, **__: {name: make() for name, make in found.items()})  # type: ignore[no-untyped-call]
    monkeypatch.setattr("sys.argv", ["run"])
    assert run.main() == 1
    printed = capsys.readouterr()
    assert printed.out == "one round\nits figures\n"
    assert "first failed: RuntimeError: broken" in printed.err
    assert "second needs the program x, from the package y" in printed.err
    monkeypatch.setattr("sys.argv", ["run", "--only", "third"])
    assert run.main() == 0
