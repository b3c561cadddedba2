"""What a command says of a connection that a server closed."""

import pytest

from headrace.cli.connection_errors import advice
from headrace.streams.connect import Target, Tls


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        (None, "closed the connection; if it speaks TLS, write rediss:// in --url"),
        (Tls(), "if it asks for a client certificate, give --cert FILE and --key FILE"),
        (
            Tls(cert_file="tls.crt", key_file="tls.key"),
            "closed the connection; it may not accept the client certificate of --cert",
        ),
    ],
)
def test_a_connection_that_is_reset_has_a_likely_cause(tls: Tls | None, said: str) -> None:
    """A reset may come before the alert that tells the reason is read."""
    target = Target(endpoints=("redis:6379",), tls=tls)
    text = advice(ConnectionResetError("Connection reset by peer"), target, in_pod=False)
    assert text == f"redis:6379 {said}" if tls is None else said in text
