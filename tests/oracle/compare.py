"""Shows where the service and the oracle differ: `python -m tests.oracle.compare --mails 5000 --seed 7`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from tests.oracle.cases import Case, run_cases, show, show_accounts
from tests.oracle.shrinking import shrink


@click.command()
@click.option("--mails", default=5000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--most", default=20, show_default=True, help="How many differences are shown.")
@click.option("--small", is_flag=True, help="Leave out what a difference does not need (slow).")
def main(mails: int, seed: int, most: int, *, small: bool) -> None:
    """Compare the service with the oracle."""
    with tempfile.TemporaryDirectory() as folder:
        cases = run_cases(Path(folder), mails=mails, seed=seed)
    wrong: Sequence[Case] = [case for case in cases if case.differences]
    if small:
        wrong = [shrink(case) for case in wrong[:most]] + [*wrong[most:]]
    shown: object = None
    for case in wrong[:most]:
        if case.office is not shown:
            shown = case.office
            click.echo(f"\n=== Accounts of {case.config.parent.name}\n{show_accounts(case.office)}")
        click.echo(f"\n{show(case)}")
    click.echo(f"\n{len(cases)} mails, {len(wrong)} differences")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
