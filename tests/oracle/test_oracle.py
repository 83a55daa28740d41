"""The service does what the oracle says, and `explain` says what the service does."""

from pathlib import Path

import pytest

from tests.oracle.cases import MAILS_PER_OFFICE, Case, run_cases, show, show_accounts
from tests.oracle.explaining import compare_explanation

_OFFICES = 10
_EXPLAINED = 50
"""Of each office's mails."""


@pytest.fixture(scope="module", params=range(1, _OFFICES + 1))
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return run_cases(tmp_path_factory.mktemp("oracle"), mails=MAILS_PER_OFFICE, seed=request.param)


def test_the_service_does_what_the_rules_say(cases: list[Case]) -> None:
    wrong = [case for case in cases if case.differences]
    if wrong:
        accounts = show_accounts(wrong[0].office)
        pytest.fail(
            f"{len(wrong)} of {len(cases)} mails\n{accounts}\n" + "\n".join(map(show, wrong[:3])), pytrace=False
        )


def test_explain_says_what_the_service_does(cases: list[Case], tmp_path: Path) -> None:
    chosen = cases[:: len(cases) // _EXPLAINED]
    wrong = [
        "\n".join([show(case), *differences])
        for case in chosen
        if (differences := list(compare_explanation(case, tmp_path)))
    ]
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(chosen)} mails\n" + "\n".join(wrong[:3]), pytrace=False)
