"""A certificate authority of one home, and the certificate of its registry, for development and the demo.

The tools that clients run refuse a registry without TLS, so even a first try on one machine needs a certificate.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=3650)
SERVER_LIFE: Final = timedelta(days=397)  # what clients accept at most
RENEW_BEFORE: Final = timedelta(days=30)
CLOCKS_DIFFER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are: keys have mode 0600."""

    ca_certificate: Path
    certificate: Path
    key: Path


def ensure_certificates(directory: Path, names: list[str], *, now: datetime | None = None) -> Certificates:
    """Give the certificate of a server with these names; made anew where it is missing, old, or for other names.

    The authority is kept as long as it lives, so that who trusts it once need not again.
    """
    now = now or datetime.now(UTC)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, authority_key = directory / "ca.pem", directory / "ca.key"
    server, server_key = directory / "server.pem", directory / "server.key"
    if not _serves(authority, authority_key, now):
        _make_authority(authority, authority_key, now)
        server.unlink(missing_ok=True)
    if not _serves(server, server_key, now) or _names_of(server) != set(names):
        _make_server(server, server_key, names, issuer=authority, issuer_key=authority_key, now=now)
    return Certificates(authority, server, server_key)


def _serves(certificate: Path, key: Path, now: datetime) -> bool:
    if not certificate.exists() or not key.exists():
        return False
    return _read(certificate).not_valid_after_utc - RENEW_BEFORE > now


def _read(certificate: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.read_bytes())


def _names_of(certificate: Path) -> set[str]:
    names = _read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    return {*dns, *map(str, names.get_values_for_type(x509.IPAddress))}


def _make_authority(path: Path, key_path: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Groundwork development authority")])
    builder = _started(name, name, key.public_key(), now, AUTHORITY_LIFE)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _pem(key), 0o600)
    _write(path, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_server(
    path: Path, key_path: Path, names: list[str], *, issuer: Path, issuer_key: Path, now: datetime
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _read(issuer)
    signer = serialization.load_pem_private_key(issuer_key.read_bytes(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{issuer_key} is not the key of an authority made here: delete its folder")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = (
        _started(subject, authority.subject, key.public_key(), now, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(key_path, _pem(key), 0o600)
    _write(path, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _started(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step, so that no reader meets half a key and no key is readable for a moment."""
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.rename(path)
