"""`headrace dead ...`: the names, options and help of the commands for dead letters."""

from __future__ import annotations

from pathlib import Path

import typer

from headrace.cli.grouped_help import GroupedHelp, example
from headrace.cli.options import (
    DeadLettersOption,
    Output,
    OutputOption,
    TypeOption,
    UrlOption,
    complete_group,
    complete_stream,
)

dead = typer.Typer(
    cls=GroupedHelp,
    help="Dead letters: see them, send them back, delete them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
StreamOption = typer.Option(
    None,
    "--stream",
    "-s",
    help="Key of the stream; that of HEADRACE_CONFIG, unless told.",
    autocompletion=complete_stream,
)
IdsArgument = typer.Argument(None, help="Ids of dead letters, as `list --each` shows them.")
GroupOption = typer.Option(
    None,
    "--group",
    "-g",
    help="Only letters of this consumer group.",
    autocompletion=complete_group,
)
ErrorOption = typer.Option(
    None, "--error", "-e", help="Only letters whose error, or its class, holds this text."
)
VersionOption = typer.Option(None, "--event-version", help="Only events of this version.")
SinceOption = typer.Option(
    None, "--since", metavar="TIME", help="Only what died since: 2h (ago), or 2026-11-26T18:00."
)
UntilOption = typer.Option(None, "--until", metavar="TIME", help="Only what died until then.")
AllOption = typer.Option(False, "--all", help="All letters, where no other choice is given.")
DryRunOption = typer.Option(False, "--dry-run", help="Say what would be done, and do nothing.")


@dead.command("list", epilog=example("headrace dead list --stream flights --since 2h"))
def list_(
    each: bool = typer.Option(False, "--each", help="One line for each letter, oldest first."),
    limit: int = typer.Option(100, "--limit", min=1, help="How many lines --each prints at most."),
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    event_version: str | None = VersionOption,
    error: str | None = ErrorOption,
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    output: Output = OutputOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show what failed, grouped by error; or each letter."""
    from headrace.cli.dead import list_letters
    from headrace.cli.dead_choice import Choice, Letters

    choice = Choice((), group, type, event_version, error, since, until)
    list_letters(Letters(stream, dead_letters, url), choice, output, limit if each else None)


@dead.command(epilog=example("headrace dead show 1795715800294-1 --stream flights"))
def show(
    id: str = typer.Argument(help="The letter's id.", show_default=False),
    output: Output = OutputOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Show one letter with its error and every field of its event."""
    from headrace.cli.dead import show_letter
    from headrace.cli.dead_choice import Letters

    show_letter(Letters(stream, dead_letters, url), id, output)


@dead.command(epilog=example("headrace dead replay --stream flights --error KeyError --rate 100"))
def replay(
    ids: list[str] | None = IdsArgument,
    all: bool = AllOption,
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    event_version: str | None = VersionOption,
    error: str | None = ErrorOption,
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    rate: int | None = typer.Option(None, "--rate", min=1, help="Letters a second at most."),
    payload: Path | None = typer.Option(
        None, "--payload", help="A file of JSON that takes the place of the one letter's payload."
    ),
    dry_run: bool = DryRunOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Send letters back to the group that failed them.

    No other group gets them. Each leaves the dead letters in the step that sends it: a replay that
    is cut short loses and doubles nothing; run it again. What fails again meanwhile is left for the
    next time.
    """
    from headrace.cli.dead_changes import replay_letters
    from headrace.cli.dead_choice import Choice, Letters

    choice = Choice(tuple(ids or ()), group, type, event_version, error, since, until, all)
    place = Letters(stream, dead_letters, url)
    replay_letters(place, choice, rate=rate, payload=payload, dry_run=dry_run)


@dead.command(epilog=example("headrace dead purge --stream flights --type test.ping --dry-run"))
def purge(
    ids: list[str] | None = IdsArgument,
    all: bool = AllOption,
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    event_version: str | None = VersionOption,
    error: str | None = ErrorOption,
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    dry_run: bool = DryRunOption,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Delete letters for good. It asks first."""
    from headrace.cli.dead_changes import purge_letters
    from headrace.cli.dead_choice import Choice, Letters

    choice = Choice(tuple(ids or ()), group, type, event_version, error, since, until, all)
    purge_letters(Letters(stream, dead_letters, url), choice, dry_run=dry_run, yes=yes)


@dead.command(epilog=example("headrace dead export --stream flights > letters.ndjson"))
def export(
    group: str | None = GroupOption,
    type: str | None = TypeOption,
    event_version: str | None = VersionOption,
    error: str | None = ErrorOption,
    since: str | None = SinceOption,
    until: str | None = UntilOption,
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Print letters as lines of JSON, which `import` reads. They stay where they are."""
    from headrace.cli.dead_choice import Choice, Letters
    from headrace.cli.dead_files import export_letters

    choice = Choice((), group, type, event_version, error, since, until)
    export_letters(Letters(stream, dead_letters, url), choice)


@dead.command("import", epilog=example("headrace dead import letters.ndjson --stream flights"))
def import_(
    file: Path | None = typer.Argument(None, help="Lines of JSON; stdin, unless told."),
    skip: int = typer.Option(0, "--skip", min=0, help="Pass over this many lines first."),
    stream: str | None = StreamOption,
    dead_letters: str | None = DeadLettersOption,
    url: str | None = UrlOption,
) -> None:
    """Append letters that `export` wrote. Those that are still there are passed over."""
    from headrace.cli.dead_choice import Letters
    from headrace.cli.dead_files import import_letters

    import_letters(Letters(stream, dead_letters, url), file, skip)
