"""`headrace dead ...`: the names, options and help of the commands for dead letters."""

from __future__ import annotations

import typer

from headrace.cli.grouped_help import GroupedHelp
from headrace.cli.options import DeadLettersOption, Output, OutputOption, UrlOption

dead = typer.Typer(
    cls=GroupedHelp,
    help="See dead letters, send them back to their group, or delete them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
StreamOption = typer.Option(
    None, "--stream", "-s", help="Key of the stream; that of HEADRACE_CONFIG, unless told."
)
IdsArgument = typer.Argument(None, help="Ids of dead letters, as `list --each` shows them.")
GroupOption = typer.Option(None, "--group", "-g", help="Only letters of this consumer group.")
TypeOption = typer.Option(None, "--type", "-t", help="Only events of this type.")
ErrorOption = typer.Option(
    None, "--error", "-e", help="Only letters whose error, or its class, holds this text."
)
AllOption = typer.Option(False, "--all", help="All letters, where no other choice is given.")
DryRunOption = typer.Option(False, "--dry-run", help="Say what would be done, and do nothing.")


@dead.command("list")
def list_(
    each: bool = typer.Option(False, "--each", help="One line for each letter, oldest first."),
    limit: int = typer.Option(100, "--limit", min=1, help="How many lines --each prints at most."),
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    error: str | None = ErrorOption,
    output: Output = OutputOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show what failed, grouped by error; or each letter."""
    from headrace.cli.dead import Choice, Letters, list_letters

    choice = Choice((), group, type, error)
    letters = Letters(stream, dead_letters, url)
    list_letters(letters, choice, output, limit if each else None)


@dead.command()
def show(
    id: str = typer.Argument(help="The letter's id.", show_default=False),
    output: Output = OutputOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show one letter with its error and every field of its event."""
    from headrace.cli.dead import Letters, show_letter

    show_letter(Letters(stream, dead_letters, url), id, output)


@dead.command()
def replay(
    ids: list[str] | None = IdsArgument,
    all: bool = AllOption,
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    error: str | None = ErrorOption,
    dry_run: bool = DryRunOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Send letters back to the group that failed them, and to no other.

    Each leaves the dead letters in the step that sends it: a replay that is cut short loses and
    doubles nothing; run it again. What fails again meanwhile is left for the next time.
    """
    from headrace.cli.dead import Choice, Letters, replay_letters

    choice = Choice.told(tuple(ids or ()), group, type, error, all)
    replay_letters(Letters(stream, dead_letters, url), choice, dry_run)


@dead.command()
def purge(
    ids: list[str] | None = IdsArgument,
    all: bool = AllOption,
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    error: str | None = ErrorOption,
    dry_run: bool = DryRunOption,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Delete letters for good. It asks first."""
    from headrace.cli.dead import Choice, Letters, purge_letters

    choice = Choice.told(tuple(ids or ()), group, type, error, all)
    purge_letters(Letters(stream, dead_letters, url), choice, dry_run=dry_run, yes=yes)
