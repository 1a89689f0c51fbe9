"""Detached OpenPGP signatures, checked by two independent tools where both are there.

Nothing here trusts a keyring of the machine: the caller gives the keys, and a signature counts for the full
fingerprint of one of them. Sequoia decides by the time of signing whether a key was good then; gpg, which only
says that a key has expired by now, must agree on everything else.
"""

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

import gnupg
import pysequoia
from pysequoia.packet import HashAlgorithm, SignatureType, Tag

from domain.registry.errors import (
    SignatureExpired,
    SignatureFromFuture,
    SignatureKeyExpired,
    SignatureKeyRevoked,
    SignatureKeyUnknown,
    SignatureMalformed,
    SignatureMismatch,
    SignatureRefused,
    SignatureWeak,
)
from domain.registry.gpg_keys import PublicKey, SignatureEvidence
from integrations.packets import PACKET_BIT, read_headers
from integrations.public_keys import read_certificate
from integrations.scratch import scratch

LARGEST_SIGNATURE: Final = 16 * 1024
_ANEW: Final = "make it with `gpg --detach-sign`"
CLOCK_SKEW: Final = timedelta(minutes=5)

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
            GpgKeyInvalid: the key was stored when keys might be larger.
        """
        now = now or datetime.now(UTC)
        parsed, algorithm = _read_signature(signature)
        digest = _DIGESTS.get(algorithm)
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


def _read_signature(signature: bytes) -> tuple[pysequoia.Sig, int]:
    """Read a signature; give it with the number of its hash algorithm."""
    if not signature or not signature[0] & PACKET_BIT:
        raise SignatureMalformed(
            "the signature is not binary; make it with `gpg --detach-sign`, without --armor or --clearsign"
        )
    if len(signature) > LARGEST_SIGNATURE:
        raise SignatureMalformed(f"a signature has at most {LARGEST_SIGNATURE} bytes; {_ANEW}")
    try:
        tags = [header.tag for header in read_headers(signature)]
    except ValueError:
        raise SignatureMalformed(f"the signature can't be read; {_ANEW}") from None
    if tags != [int(Tag.Signature)]:
        raise SignatureMalformed(f"the file is not exactly one detached signature; {_ANEW}")
    try:
        parsed = pysequoia.Sig.from_bytes(signature)
        # The library raises where one of these is unknown to it.
        kind, algorithm = parsed.signature_type, int(parsed.hash_algorithm)
    except Exception:
        raise SignatureMalformed(f"the signature can't be read; {_ANEW}") from None
    if kind != SignatureType.Binary:
        raise SignatureMalformed(f"the signature is not over a binary document; {_ANEW}")
    return parsed, algorithm


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
    certificate = read_certificate(key.ascii_armor)
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
    with scratch("gpg") as home:
        gpg = gnupg.GPG(gpgbinary=path, gnupghome=str(home), options=["--no-autostart", "--weak-digest", "SHA1"])
        gpg.encoding = "latin-1"  # notations come as raw bytes, and status lines are ASCII
        # In an armor that was stored earlier, names stand as comments, in any script.
        gpg.import_keys(key.ascii_armor.encode().decode(gpg.encoding))
        file = home / "signature"
        file.write_bytes(signature)
        result = gpg.verify_data(str(file), content)
        words = re.findall(r"^\[GNUPG:\] (\w+)(?: ([^\n]*))?$", result.stderr, re.MULTILINE)
        number = ".".join(map(str, gpg.version))
    good = [word for word, _ in words if word in {"GOODSIG", "EXPKEYSIG"}]
    bad = [word for word, _ in words if word in {"BADSIG", "ERRSIG", "EXPSIG", "REVKEYSIG", "NODATA", "FAILURE"}]
    valid = [rest.split() for word, rest in words if word == "VALIDSIG"]
    named = [(fields[0].lower(), fields[-1].lower()) for fields in valid]
    if len(good) != 1 or bad or named != [(signing_key, key.fingerprint)]:
        raise SignatureRefused(
            "gpg does not agree that this key made this signature; sign again, with gpg 2.2 or later",
            key=key.fingerprint,
        )
    return number
