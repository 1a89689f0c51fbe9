"""Detached OpenPGP signatures, checked by two independent tools where both are there.

Nothing here trusts a keyring of the machine: the caller gives the keys, and a signature counts for the full
fingerprint of one of them. Sequoia decides by the time of signing whether a key was good then; gpg, which only
says that a key has expired by now, must agree on everything else.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

import gnupg
import pysequoia
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, PublicKeyAlgorithm, SignatureType, Tag

from domain.registry.errors import GpgKeyInvalid, SignatureRefused
from domain.registry.gpg_keys import LARGEST_KEY, PublicKey, SignatureEvidence
from domain.registry.verification_errors import (
    SignatureExpired,
    SignatureFromFuture,
    SignatureKeyExpired,
    SignatureKeyRevoked,
    SignatureKeyUnknown,
    SignatureMalformed,
    SignatureMismatch,
    SignatureWeak,
)

LARGEST_SIGNATURE: Final = 16 * 1024
SHORTEST_RSA_BITS: Final = 2048
CLOCK_SKEW: Final = timedelta(minutes=5)
PACKET_BIT: Final = 0x80  # every OpenPGP packet begins with it, and no ASCII does

_DIGESTS: Final = {
    int(algorithm): name
    for algorithm, name in (
        (HashAlgorithm.SHA224, "SHA224"),
        (HashAlgorithm.SHA256, "SHA256"),
        (HashAlgorithm.SHA384, "SHA384"),
        (HashAlgorithm.SHA512, "SHA512"),
        (HashAlgorithm.SHA3_256, "SHA3-256"),
        (HashAlgorithm.SHA3_512, "SHA3-512"),
    )
}
_RSA: Final = frozenset({int(PublicKeyAlgorithm.RSAEncryptSign), int(PublicKeyAlgorithm.RSASign)})
_STRONG_CURVES: Final = frozenset(
    int(algorithm)
    for algorithm in (PublicKeyAlgorithm.ECDSA, PublicKeyAlgorithm.EdDSA, PublicKeyAlgorithm.Ed25519)
)
_KEY_TAGS: Final = frozenset({int(Tag.PublicKey), int(Tag.PublicSubkey)})
_SECRET_TAGS: Final = frozenset({int(Tag.SecretKey), int(Tag.SecretSubkey)})


def read_public_key(armored: str) -> PublicKey:
    """Read one armored public key that can sign.

    Raises:
        GpgKeyInvalid: not one key, a secret key, revoked, unable to sign, or too weak; with what to export.
    """
    if len(armored) > LARGEST_KEY:
        raise GpgKeyInvalid(f"a key has at most {LARGEST_KEY} bytes; use `--export-options export-minimal`")
    if not armored.lstrip().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        raise GpgKeyInvalid("this is no public key; send the output of `gpg --armor --export`")
    try:
        certificates = pysequoia.Cert.split_bytes(armored.encode())
        packets = list(PacketPile.from_bytes(armored.encode()))
    except Exception:
        # The library raises several kinds and puts stack traces into its messages.
        raise GpgKeyInvalid("the key is damaged; send the output of `gpg --armor --export`") from None
    if len(certificates) != 1:
        raise GpgKeyInvalid("send one key at a time")
    [certificate] = certificates
    if any(int(packet.tag) in _SECRET_TAGS for packet in packets):
        raise GpgKeyInvalid("this is a secret key; send the public one, and take the secret one as leaked")
    if certificate.is_revoked:
        raise GpgKeyInvalid(
            "this key is revoked, so nothing is signed with it; if it was added before, remove it here as well"
        )
    keys = [packet for packet in packets if int(packet.tag) in _KEY_TAGS]
    _check_strength(keys[0])
    if not any(packet.key_flags is not None and packet.key_flags.signing for packet in packets):
        raise GpgKeyInvalid("this key can't sign; add a signing subkey to it")
    return PublicKey(
        fingerprint=certificate.fingerprint,
        subkeys=frozenset(key.fingerprint for key in keys[1:] if key.fingerprint is not None),
        user_ids=[str(user_id) for user_id in certificate.user_ids],
        expires_at=certificate.expiration,
        ascii_armor=str(certificate),
    )


class SignatureVerifier:
    """Checks detached signatures; safe to call from several threads at once, and slow enough to need them.

    A signature is refused without asking either tool where the two differ (armor, clear-signed text, SHA-1), or
    where a tool's word says too little: see docs/explanation/signatures.md for the whole table.
    """

    def __init__(self) -> None:
        """Find gpg on PATH; without one, Sequoia alone decides, and evidence says so."""
        self._gpg = shutil.which("gpg")

    def tools(self) -> dict[str, str]:
        """Name what checks signatures here, each with its version; blocks while gpg says its own."""
        named = {"pysequoia": version("pysequoia")}
        if self._gpg is not None:
            named["gpg"] = ".".join(map(str, gnupg.GPG(gpgbinary=self._gpg).version))
        return named

    def verify(
        self, content: bytes, signature: bytes, keys: Sequence[PublicKey], *, now: datetime | None = None
    ) -> SignatureEvidence:
        """Check that exactly one of the keys signed the content.

        Raises:
            SignatureRefused: as the class of it that names the reason, with what to do about it.
        """
        now = now or datetime.now(UTC)
        parsed = _read_signature(signature)
        digest = _DIGESTS.get(int(parsed.hash_algorithm))
        if digest is None:
            raise SignatureWeak("the signature uses SHA-1 or weaker; sign with `--digest-algo SHA512`")
        key = _find_key(parsed, keys)
        if key.revoked_at is not None:
            raise SignatureKeyRevoked("this key was revoked here; sign with another", key=key.fingerprint)
        if parsed.created is None or parsed.created > now + CLOCK_SKEW:
            raise SignatureFromFuture("the signature says it was made in the future; check the signer's clock")
        if parsed.expiration is not None and parsed.expiration <= now:
            raise SignatureExpired(
                "the signature has expired; sign again", expired_at=parsed.expiration.isoformat()
            )
        if key.expires_at is not None and key.expires_at <= parsed.created:
            raise SignatureKeyExpired(
                "the key had expired when it signed; prolong the key, add it again, and sign anew",
                expired_at=key.expires_at.isoformat(),
            )
        signing_key = _ask_sequoia(content, parsed, key)
        verified_by = {"pysequoia": version("pysequoia")}
        if self._gpg is not None:
            verified_by["gpg"] = _ask_gpg(self._gpg, content, signature, key, signing_key)
        return SignatureEvidence(
            key_fingerprint=key.fingerprint,
            signing_key_fingerprint=signing_key,
            signed_at=parsed.created,
            digest=digest,
            verified_by=verified_by,
            key_expired_at=key.expires_at if key.expires_at is not None and key.expires_at <= now else None,
        )


def _check_strength(primary: Packet) -> None:
    algorithm = int(primary.key_algorithm) if primary.key_algorithm is not None else -1
    if primary.body[0] != 4:  # noqa: PLR2004  the packet's version
        raise GpgKeyInvalid("only keys of OpenPGP version 4 are read by both command line tools")
    # Behind version, time and algorithm comes the modulus, its length in bits first (RFC 9580, 5.5.2.2).
    if algorithm in _RSA and int.from_bytes(primary.body[6:8]) < SHORTEST_RSA_BITS:
        raise GpgKeyInvalid(f"an RSA key has at least {SHORTEST_RSA_BITS} bits")
    if algorithm not in _RSA | _STRONG_CURVES:
        raise GpgKeyInvalid("the key's algorithm is not RSA, ECDSA or EdDSA")


def _read_signature(signature: bytes) -> pysequoia.Sig:
    if not signature or not signature[0] & PACKET_BIT:
        raise SignatureMalformed(
            "the signature is not binary; make it with `gpg --detach-sign`, without --armor or --clearsign"
        )
    if len(signature) > LARGEST_SIGNATURE:
        raise SignatureMalformed(f"a signature has at most {LARGEST_SIGNATURE} bytes")
    try:
        packets = list(PacketPile.from_bytes(signature))
        parsed = pysequoia.Sig.from_bytes(signature)
    except Exception:
        raise SignatureMalformed("the signature can't be read; make it with `gpg --detach-sign`") from None
    if [int(packet.tag) for packet in packets] != [int(Tag.Signature)]:
        raise SignatureMalformed("the file is not exactly one detached signature")
    if parsed.signature_type != SignatureType.Binary:
        raise SignatureMalformed("the signature is not over a binary document")
    return parsed


def _find_key(signature: pysequoia.Sig, keys: Sequence[PublicKey]) -> PublicKey:
    issuer = signature.issuer_fingerprint
    if issuer is not None:
        found = [key for key in keys if issuer in key.subkeys | {key.fingerprint}]
    else:
        short = (signature.issuer_key_id or "-").lower()
        found = [key for key in keys if any(name.endswith(short) for name in key.subkeys | {key.fingerprint})]
    if len(found) > 1:
        raise SignatureKeyUnknown(
            "several keys of this namespace have the short name that the signature gives; sign with a tool that "
            "names its key by the full fingerprint, such as gpg 2.2",
            signed_by=signature.issuer_key_id,
        )
    if not found:
        raise SignatureKeyUnknown(
            "no key of this namespace made this signature; add the key that signs your releases first",
            signed_by=issuer or signature.issuer_key_id,
        )
    return found[0]


def _ask_sequoia(content: bytes, signature: pysequoia.Sig, key: PublicKey) -> str:
    certificate = pysequoia.Cert.from_bytes(key.ascii_armor.encode())
    try:
        valid = pysequoia.verify(content, lambda _: [certificate], signature=signature).valid_sigs
    except RuntimeError:
        valid = []
    if len(valid) != 1 or valid[0].certificate != key.fingerprint:
        raise SignatureMismatch(
            "the signature does not match SHA256SUMS and the key; sign exactly the file that you send, with a key "
            "that is strong and was good at that time",
            key=key.fingerprint,
        )
    return str(valid[0].signing_key)


def _ask_gpg(path: str, content: bytes, signature: bytes, key: PublicKey, signing_key: str) -> str:
    """Let gpg check in a home of its own, where no agent is started and nothing stays."""
    with tempfile.TemporaryDirectory(prefix="groundwork-gpg-") as home:
        gpg = gnupg.GPG(gpgbinary=path, gnupghome=home, options=["--no-autostart", "--weak-digest", "SHA1"])
        gpg.encoding = "latin-1"  # notations come as raw bytes, and status lines are ASCII
        gpg.import_keys(key.ascii_armor)
        file = Path(home, "signature")
        file.write_bytes(signature)
        result = gpg.verify_data(str(file), content)
        words = re.findall(r"^\[GNUPG:\] (\w+)(?: ([^\n]*))?$", result.stderr, re.MULTILINE)
        number = ".".join(map(str, gpg.version))
    good = [word for word, _ in words if word in {"GOODSIG", "EXPKEYSIG"}]
    bad = [word for word, _ in words if word in {"BADSIG", "ERRSIG", "EXPSIG", "REVKEYSIG", "NODATA", "FAILURE"}]
    valid = [rest.split() for word, rest in words if word == "VALIDSIG"]
    named = [(fields[0].lower(), fields[-1].lower()) for fields in valid]
    if len(good) != 1 or bad or named != [(signing_key, key.fingerprint)]:
        raise SignatureRefused("gpg does not agree that this key made this signature", key=key.fingerprint)
    return number
