"""What is read out of the README and the recipe; `make test-install` runs it."""

import pytest

from tests.install.recipes import blocks, command_for, comment_steps, read_readme, section

TEXT = """\
# Name

## Install it

before

### The package: Debian

```sh
apt install ./x.deb
```

Words.

```sh
cat > f <<'END'
# no heading
END
```

### By hand

```sh
pip install
```

## Live with it

    apt remove x                 # all stays
    apt purge x
"""


def test_the_blocks_below_a_heading() -> None:
    found = blocks(section(TEXT, "## Install it", "### The package"))
    assert found == ["apt install ./x.deb\n", "cat > f <<'END'\n# no heading\nEND\n"]
    with pytest.raises(KeyError):
        section(TEXT, "## Install it", "### The source")
    with pytest.raises(KeyError):
        section(TEXT, "## Live with it", "### The package")


def test_a_command_without_its_comment() -> None:
    told = section(TEXT, "## Live with it")
    assert command_for(told, "apt remove") == "apt remove x"
    assert command_for(told, "apt purge") == "apt purge x"
    with pytest.raises(KeyError):
        command_for(told, "apt upgrade")


def test_the_steps_of_a_comment() -> None:
    text = "# Words.\n#\n#     one && two\n#\n# Then:\n#\n#     three | 's/^/#&/'\n\nkey = value\n#     no step\n"
    assert comment_steps(text) == ["one && two", "three | 's/^/#&/'"]


def test_the_readme_has_what_is_run() -> None:
    readme = read_readme()
    assert len(blocks(section(readme, "## Install it", "### The package"))) >= 4
    for beginning in ("apt install", "apt remove", "apt purge"):
        assert "lan-mail-relay" in command_for(section(readme, "## Live with it"), beginning)
