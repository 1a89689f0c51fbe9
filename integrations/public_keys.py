"""Public OpenPGP keys, as people add them: one that can sign and is strong enough, or what to send instead."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pysequoia
from pysequoia.packet import Packet, PacketPile, PublicKeyAlgorithm, Tag

from domain.registry.errors import GpgKeyInvalid
from domain.registry.gpg_keys import LARGEST_KEY, PublicKey

SHORTEST_RSA_BITS: Final = 2048

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
        return _read(armored.encode())
    except GpgKeyInvalid:
        raise
    except Exception:
        # The library parses as it is asked, raises several kinds, and puts stack traces into its messages.
        raise GpgKeyInvalid("the key is damaged; send the output of `gpg --armor --export`") from None


def _read(armored: bytes) -> PublicKey:
    certificates, packets = pysequoia.Cert.split_bytes(armored), list(PacketPile.from_bytes(armored))
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
    signing = _signing_keys(packets)
    if not signing:
        raise GpgKeyInvalid("this key can't sign; add a signing subkey to it")
    user_ids, expiration = _said_of_itself(certificate)
    if not all(map(str.isprintable, user_ids)):
        raise GpgKeyInvalid(
            "a user id of this key has characters that can't be shown, such as a line break; delete that user id,"
            " and export the key again"
        )
    return PublicKey(
        fingerprint=certificate.fingerprint,
        subkeys=frozenset(key.fingerprint for key in keys[1:] if key.fingerprint is not None),
        user_ids=user_ids,
        expires_at=_end_of_signing(expiration, signing),
        ascii_armor=str(certificate),
    )


def _said_of_itself(certificate: pysequoia.Cert) -> tuple[list[str], datetime | None]:
    """Give whose a key is and when it ends, as its own signatures say, which are verified for it."""
    try:
        return [str(user_id) for user_id in certificate.user_ids], certificate.expiration
    except RuntimeError:
        raise GpgKeyInvalid(
            "no signature of this key over itself can be verified: they are SHA-1, damaged, or on a curve that is"
            " neither NIST's nor 25519; make another, as by `gpg --quick-gen-key NAME ed25519 sign`"
        ) from None


def _check_strength(primary: Packet) -> None:
    algorithm = int(primary.key_algorithm) if primary.key_algorithm is not None else -1
    if primary.body[0] != 4:  # noqa: PLR2004  the packet's version
        raise GpgKeyInvalid("only keys of OpenPGP version 4 are read by both command line tools")
    # Behind version, time and algorithm comes the modulus, its length in bits first (RFC 9580, 5.5.2.2).
    if algorithm in _RSA and int.from_bytes(primary.body[6:8]) < SHORTEST_RSA_BITS:
        raise GpgKeyInvalid(f"an RSA key has at least {SHORTEST_RSA_BITS} bits")
    if algorithm not in _RSA | _STRONG_CURVES:
        raise GpgKeyInvalid("the key's algorithm is not RSA, ECDSA or EdDSA")


def _signing_keys(packets: Sequence[Packet]) -> list[datetime | None]:
    """Give when each key that can sign ends, None for never; of what is said of a key the newest counts."""
    ends: dict[str, datetime | None] = {}
    newest: dict[str, datetime] = {}
    key: Packet | None = None
    for packet in packets:
        if int(packet.tag) in _KEY_TAGS:
            key = packet
        made, flags = packet.signature_created, packet.key_flags
        if key is None or key.fingerprint is None or key.key_created is None or made is None or flags is None:
            continue
        if made < newest.get(key.fingerprint, made):
            continue
        newest[key.fingerprint] = made
        ends.pop(key.fingerprint, None)
        if flags.signing:
            lives = packet.key_validity_period
            ends[key.fingerprint] = None if lives is None else key.key_created + lives
    return list(ends.values())


def _end_of_signing(certificate: datetime | None, signing: Sequence[datetime | None]) -> datetime | None:
    """Tell when nothing of a key can sign any more: its last signing key ends, or all of it does."""
    bounded = [end for end in signing if end is not None]
    last = max(bounded) if len(bounded) == len(signing) else None
    return min((end for end in (certificate, last) if end is not None), default=None)
