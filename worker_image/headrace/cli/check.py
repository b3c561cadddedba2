"""`headrace check`: whether a Redis can carry a pipeline, before anything depends on it."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import AsyncIterator
from time import time

import typer
from redis.exceptions import ResponseError

from headrace.cli import preflight
from headrace.cli.exits import FAILED
from headrace.cli.names import group_names
from headrace.cli.options import Output
from headrace.cli.output import plural, print_data, printable
from headrace.cli.preflight import Finding, Result
from headrace.cli.progress import said_when_slow
from headrace.cli.redis_options import Place, command, place_of
from headrace.cli.terminal import is_terminal
from headrace.streams.connect import REDIS_ERRORS
from headrace.streams.groups import NotAStream
from headrace.streams.rights import missing_rights, right_to_emit, rights_of
from headrace.streams.script import call
from headrace.streams.server import server_of
from headrace.streams.server_info import read_info

WIDTH = 80
INDENT = " " * 22
GROUP = "check"
"""Stands in where no configuration names a group: its keys begin like every group's."""


@command
async def run_check(stream: str | None, strict: bool, output: Output, url: str | None) -> None:
    place = place_of(url)
    if stream is None and place.config is not None:
        stream = place.config.stream
    if stream is not None:
        place.keys(stream, None)  # refuse what can be no stream before Redis is asked
    found: list[Finding] = []
    try:
        async for one in _findings(place, stream):
            found.append(one)
            if output is Output.TABLE:
                _print(one)
    finally:
        await place.client.aclose()
    if output is not Output.TABLE:
        print_data([_plain(one) for one in found], output)
    results = {one.result for one in found}
    if Result.FAILED in results or (strict and Result.WARNING in results):
        raise typer.Exit(FAILED)


async def _findings(place: Place, stream: str | None) -> AsyncIterator[Finding]:
    """Ends early where nothing more can be learnt."""
    try:
        async with said_when_slow(f"waiting for Redis at {place.address}"):
            await call(place.client, ("PING",))
        tls = "by TLS" if place.target is not None and place.target.tls else "without TLS"
        yield Finding("connection", Result.OK, f"{place.address} answers, {tls}")
        if stream is not None:
            yield await _stream(place, stream)
            yield await _rights(place, stream)
        async for one in _server(place):
            yield one
    except REDIS_ERRORS as error:
        yield _failed("connection", place.advice(error))


def _failed(check: str, sentence: str) -> Finding:
    """What happened and what to do about it are parted by a semicolon."""
    what, _, advice = sentence.partition("; ")
    return Finding(check, Result.FAILED, what, advice)


async def _stream(place: Place, stream: str) -> Finding:
    try:
        groups = await group_names(place.client, stream)
    except NotAStream as error:
        return _failed("stream", str(error))
    except ResponseError as error:
        return _failed("stream", place.advice(error))
    if groups is None:
        return Finding("stream", Result.OK, f"{stream} is not there yet; workers make it")
    return Finding("stream", Result.OK, f"{stream} is there, with {plural(len(groups), 'group')}")


async def _rights(place: Place, stream: str) -> Finding:
    config = place.config
    ours = config is not None and stream == config.stream
    group = config.consumer_group if config is not None and ours else GROUP
    rights = rights_of(place.keys(stream, None).for_group(group))
    if config is not None and ours:
        rights += [right_to_emit(output.stream) for output in config.outputs]
    try:
        return preflight.rights_finding(await missing_rights(place.client, rights))
    except ResponseError as error:
        advice = f"grant this user the rights in {preflight.RIGHTS_PAGE}"
        found = "this user may run no scripts, so the other rights are not known"
        if "NOPERM" not in place.advice(error) and "permission" not in str(error):
            found = place.advice(error)
        return Finding("rights", Result.FAILED, found, advice)


async def _server(place: Place) -> AsyncIterator[Finding]:
    try:
        info = await read_info(place.client)
    except ResponseError as error:
        yield _failed("server", place.advice(error))
        return
    server = server_of(info)
    yield preflight.server_finding(server)
    yield preflight.features_finding(server)
    yield preflight.persistence_finding(
        info, await _setting(place, "appendfsync"), await _setting(place, "save")
    )
    yield preflight.memory_finding(info)
    yield preflight.replicas_finding(info)
    before = time()
    redis_s = await place.server_ms() / 1000
    yield preflight.clock_finding((before + time()) / 2 - redis_s)


async def _setting(place: Place, name: str) -> str | None:
    """None where this user may not ask, as in most managed Redis."""
    try:
        row = await call(place.client, ("CONFIG", "GET", name))
    except ResponseError:
        return None
    return row[1].decode() if row else None


def _plain(one: Finding) -> dict[str, str]:
    return dataclasses.asdict(one) | {"result": str(one.result)}


def _print(one: Finding) -> None:
    head = f"{one.result:<8} {one.check:<12} "
    text = printable(one.found)
    if not is_terminal(sys.stdout):
        typer.echo(head + text)
        if one.advice:
            typer.echo(INDENT + printable(one.advice))
        return
    for start, words in ((head, text), (INDENT, printable(one.advice))):
        for line in textwrap.wrap(
            words, WIDTH, initial_indent=start, subsequent_indent=INDENT, break_on_hyphens=False
        ):
            typer.echo(line)
