"""/metrics with TLS: probes stay plain, and files are renewed in place."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.support.redis_tls import make_certificates

from headrace.worker.listening import listening
from headrace_operator.telemetry.http import SecurePort, Server
from headrace_operator.telemetry.tls import ServerTLS

NAME = "headrace-metrics.headrace-system.svc"


def free_port() -> int:
    with listening("127.0.0.1", 0) as found:
        return int(found.getsockname()[1])


class Scraped:
    """An operator's two ports; each question is a connection of its own."""

    def __init__(self, tls: ServerTLS) -> None:
        self._plain, self._secure = free_port(), free_port()
        self.server = Server(
            "127.0.0.1",
            self._plain,
            live=lambda: None,
            ready=lambda: None,
            secure=SecurePort(self._secure, tls.context()),
        )

    async def plain(self, path: str) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self._plain}{path}") as answer,
        ):
            return answer.status

    async def secure(self, trusted: Path, own: Path | None = None) -> str:
        context = ssl.create_default_context(cafile=trusted)
        if own:
            context.load_cert_chain(own / "tls.crt", own / "tls.key")
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"https://127.0.0.1:{self._secure}/metrics", ssl=context, server_hostname=NAME
            ) as answer,
        ):
            return await answer.text()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    make_certificates(tmp_path, NAME)
    return tmp_path


@pytest.fixture
async def scraped(request: pytest.FixtureRequest, files: Path) -> AsyncIterator[Scraped]:
    found = Scraped(ServerTLS(files, getattr(request, "param", False)))
    await found.server.start()
    yield found
    await found.server.stop()


async def test_metrics_are_told_over_tls_only_and_probes_without(
    scraped: Scraped, files: Path
) -> None:
    assert "python_info" in await scraped.secure(files / "ca.crt")
    assert [await scraped.plain(path) for path in ("/metrics", "/livez", "/readyz")] == [
        404,
        200,
        200,
    ]


async def test_a_renewed_certificate_is_served_at_the_next_connection(
    scraped: Scraped, files: Path
) -> None:
    before = (files / "ca.crt").rename(files / "before.crt")
    make_certificates(files, NAME)
    assert await scraped.secure(files / "ca.crt")
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await scraped.secure(before)


async def test_a_half_written_change_leaves_the_certificate_before_it(
    scraped: Scraped, files: Path
) -> None:
    (files / "tls.key").write_text("half")
    assert await scraped.secure(files / "ca.crt")


@pytest.mark.parametrize("scraped", [True], indirect=True)
async def test_without_a_certificate_of_the_authority_nothing_is_told(
    scraped: Scraped, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert await scraped.secure(files / "ca.crt", own=files)
    strangers = tmp_path_factory.mktemp("strangers")
    make_certificates(strangers, NAME)
    for own in (None, strangers):
        with pytest.raises(aiohttp.ClientError):
            await scraped.secure(files / "ca.crt", own)


@pytest.mark.parametrize("scraped", [True], indirect=True)
async def test_a_renewed_authority_judges_the_next_connection(
    scraped: Scraped, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    former = tmp_path_factory.mktemp("former")
    for name in ("tls.crt", "tls.key"):
        (former / name).write_bytes((files / name).read_bytes())
    make_certificates(files, NAME)
    assert await scraped.secure(files / "ca.crt", own=files)
    with pytest.raises(aiohttp.ClientError):
        await scraped.secure(files / "ca.crt", own=former)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [("gone", "tls.key does not exist"), ("another's", "tls.crt, tls.key of .* do not fit")],
)
def test_files_that_cannot_serve_are_named_at_the_start(
    files: Path, wrong: str, sentence: str
) -> None:
    if wrong == "gone":
        (files / "tls.key").unlink()
    else:
        (files / "tls.key").write_bytes((files / "ca.key").read_bytes())
    with pytest.raises(ValueError, match=sentence):
        ServerTLS(files).context()
