"""What doctor says of the certificate that clients meet."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.servers import running
from config.settings import RegistrySettings, Settings, TlsSettings
from integrations.embedded.certificates import SERVER_LIFE, ensure_certificates
from integrations.embedded.ports import LOOPBACK


@pytest.fixture
def days(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def settings(days: int, tmp_path: Path) -> Iterator[Settings]:
    """Serve with a certificate that is good for so many days more, and half a day."""
    made = ensure_certificates(
        tmp_path / "tls", [LOOPBACK], now=datetime.now(UTC) - SERVER_LIFE + timedelta(days=days, hours=12)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)

    def answer(listening: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(listening.accept()[0], server_side=True) as secured:
            secured.recv(1)

    with socket.create_server((LOOPBACK, 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        url = f"https://{LOOPBACK}:{listening.getsockname()[1]}"
        yield Settings.model_construct(
            registry=RegistrySettings(hostname="registry.acme.example", public_url=url),
            tls=TlsSettings(ca_certificate=made.ca_certificate),
        )
        thread.join()


class TestCertificate:
    @pytest.mark.parametrize(
        ("days", "good"), [(31, True), (30, True), (29, False), (0, False)], indirect=["days"]
    )
    def test_its_days_are_told_and_few_of_them_are_a_warning(
        self, settings: Settings, days: int, *, good: bool
    ) -> None:
        [found] = running.certificate(settings)
        assert (found.state, found.ok) == (f"good for {days} days", good)

    @pytest.mark.parametrize("days", [-1], indirect=True)
    def test_one_that_has_ended_is_told(self, settings: Settings, days: int) -> None:
        del days
        [found] = running.certificate(settings)
        assert (found.state, found.ok) == (f"{LOOPBACK}: certificate has expired", False)
