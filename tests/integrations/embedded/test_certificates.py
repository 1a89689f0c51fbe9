"""The development authority: who trusts it trusts the server, and it renews what grows old."""

import contextlib
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from integrations.embedded.certificates import Certificates, ensure_certificates

NAMES = ["registry.groundwork.test", "localhost", "127.0.0.1"]


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def shake_hands(made: Certificates, name: str) -> None:
    """Let a client that trusts the authority alone meet a server that has the certificate."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(made.certificate, made.key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=made.ca_certificate).wrap_bio(
        to_client, to_server, server_hostname=name
    )
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):  # hello, answer with the certificate, verdict
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version() == "TLSv1.3"


class TestEnsureCertificates:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_client_that_trusts_the_authority_accepts_the_server(self, tmp_path: Path, name: str) -> None:
        shake_hands(ensure_certificates(tmp_path / "tls", NAMES), name)

    def test_keys_are_for_their_user_alone(self, tmp_path: Path) -> None:
        ensure_certificates(tmp_path / "tls", NAMES)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").glob("*.key")}
        assert modes == {"ca.key": 0o600, "server.key": 0o600}

    def test_nothing_is_made_anew_while_it_serves(self, tmp_path: Path) -> None:
        first = ensure_certificates(tmp_path, NAMES)
        before = serial(first.certificate), serial(first.ca_certificate)
        again = ensure_certificates(tmp_path, NAMES)
        assert (serial(again.certificate), serial(again.ca_certificate)) == before

    def test_an_old_certificate_is_renewed_under_the_same_authority(self, tmp_path: Path) -> None:
        made = ensure_certificates(tmp_path, NAMES, now=datetime.now(UTC) - timedelta(days=380))
        before = serial(made.certificate), serial(made.ca_certificate)
        ensure_certificates(tmp_path, NAMES)
        assert serial(made.certificate) != before[0]
        assert serial(made.ca_certificate) == before[1]
        shake_hands(made, "localhost")

    def test_an_old_authority_is_replaced_with_what_it_signed(self, tmp_path: Path) -> None:
        made = ensure_certificates(tmp_path, NAMES, now=datetime.now(UTC) - timedelta(days=3640))
        before = serial(made.ca_certificate)
        ensure_certificates(tmp_path, NAMES)
        assert serial(made.ca_certificate) != before
        shake_hands(made, "localhost")

    def test_other_names_need_another_certificate(self, tmp_path: Path) -> None:
        made = ensure_certificates(tmp_path, NAMES)
        ensure_certificates(tmp_path, ["another.example"])
        shake_hands(made, "another.example")
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(made, "localhost")
