"""Where a secret comes from; never the secret itself, but for one that stands in the configuration."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """The source of a secret; at most one is set. It is read anew each time it is needed, so that changes apply."""

    value: str | None = field(default=None, repr=False)
    file: str | None = None
    """An absolute path. The secret is the first line."""
    env: str | None = None
    command: tuple[str, ...] | None = field(default=None, repr=False)
    """Run without a shell. The secret is the first line of its output."""
    key: str = "password"
    """The key of the configuration; those of the other sources are made of it, such as `password_file`."""

    @property
    def is_given(self) -> bool:
        """Whether there is a source at all."""
        return any(source is not None for source in (self.value, self.file, self.env, self.command))
