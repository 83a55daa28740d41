"""Groups of commands that name the nearest command where there is none of a name."""

import click


class Group(click.Group):
    """A group as click has it, which helps whoever mistypes."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises click.UsageError with the nearest names."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            import difflib

            known = self.list_commands(ctx)
            near = difflib.get_close_matches(name[:80].lower(), known, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
            ctx.fail(f"there is no command {name[:40]!r}; {hint}")
        return super().resolve_command(ctx, args)
