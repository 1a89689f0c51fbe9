"""Public OpenPGP keys, as people add them: one that can sign and is strong enough, or what to send instead."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final

import pysequoia
from pysequoia.packet import Packet, PacketPile, PublicKeyAlgorithm, Tag

from domain.registry.errors import GpgKeyInvalid
from domain.registry.gpg_keys import LARGEST_KEY, PublicKey
from integrations.packets import PacketHeader, read_armor, read_headers

MOST_PACKETS: Final = 100
"""Keys, subkeys, user ids and signatures of one certificate, together."""
LARGEST_PACKET: Final = 2048
"""Bytes of one of them, as gpg has it for user ids; a signature by RSA of 4096 bits has about 600."""
SHORTEST_RSA_BITS: Final = 2048
LONGEST_RSA_BITS: Final = 4096
"""Sequoia checks nothing that longer keys sign."""

_LABEL: Final = "PGP PUBLIC KEY BLOCK"
_DAMAGED: Final = "the key is damaged; send the output of `gpg --armor --export`"
_EXPORT_LESS: Final = "send the output of `gpg --armor --export-options export-minimal --export`"

_RSA: Final = frozenset({int(PublicKeyAlgorithm.RSAEncryptSign), int(PublicKeyAlgorithm.RSASign)})
_STRONG_ECC: Final = frozenset(
    int(algorithm)
    for algorithm in (PublicKeyAlgorithm.ECDSA, PublicKeyAlgorithm.EdDSA, PublicKeyAlgorithm.Ed25519)
)
_WITH_CURVE: Final = frozenset({int(PublicKeyAlgorithm.ECDSA), int(PublicKeyAlgorithm.EdDSA)})
_STRONG_CURVES: Final = frozenset(
    bytes.fromhex(identifier)
    for identifier in (
        "2a8648ce3d030107",  # NIST P-256 (RFC 9580, 9.2)
        "2b81040022",  # NIST P-384
        "2b81040023",  # NIST P-521
        "2b06010401da470f01",  # Ed25519
    )
)
_KEY_TAGS: Final = frozenset({int(Tag.PublicKey), int(Tag.PublicSubkey)})
_SECRET_TAGS: Final = frozenset({int(Tag.SecretKey), int(Tag.SecretSubkey)})
_CERTIFICATE_TAGS: Final = _KEY_TAGS | {int(Tag.UserID), int(Tag.UserAttribute), int(Tag.Signature)}


def read_public_key(armored: str) -> PublicKey:
    """Read one armored public key that can sign.

    Raises:
        GpgKeyInvalid: not one key, a secret key, revoked, unable to sign, or too weak; with what to export.
    """
    certificate = read_certificate(armored)
    try:
        return _describe(certificate)
    except GpgKeyInvalid:
        raise
    except Exception:
        # The library parses as it is asked.
        raise GpgKeyInvalid(_DAMAGED) from None


def merge_public_keys(known: str, new: PublicKey) -> PublicKey:
    """Bring a stored key up to date, and drop nothing that vouches for what it signed before.

    An export of one subkey lacks the others, an older one lacks what came since, and gpg's export of a prolonged
    key lacks the self-signature that was there when the key signed. What is said of a key last still counts.

    Args:
        known: the armor that is stored. One that would no longer be taken is replaced.
        new: the same key as it was read now.

    Raises:
        GpgKeyInvalid: the two together are more than a key may be.
    """
    try:
        stored = read_certificate(known)
    except GpgKeyInvalid:
        return new
    merged = stored.merge(pysequoia.Cert.from_bytes(new.ascii_armor.encode()))
    content = bytes(merged)
    armored = pysequoia.armor(content, pysequoia.ArmorKind.PublicKey)
    if len(armored) > LARGEST_KEY or len(list(read_headers(content))) > MOST_PACKETS:
        raise GpgKeyInvalid(
            f"with what is kept of it here, the key has more than {MOST_PACKETS} user ids, subkeys and signatures "
            f"or {LARGEST_KEY} bytes; make a new key, and sign with that from now on"
        )
    return _describe(merged)


def read_certificate(armored: str) -> pysequoia.Cert:
    """Parse one armored public key, if what is done with it can't take long; whether it is good is not asked.

    Sequoia holds up all threads of the process while it works, for a time that grows with the square of a key's
    user ids, its subpackets, the size of its keys, and its signatures that are not by it. Within the limits it is
    half a second at worst.

    Raises:
        GpgKeyInvalid: not one public key, or too much in one.
    """
    if len(armored) > LARGEST_KEY:
        raise GpgKeyInvalid(f"a key has at most {LARGEST_KEY} bytes; {_EXPORT_LESS}")
    if not armored.lstrip().startswith(f"-----BEGIN {_LABEL}-----"):
        raise GpgKeyInvalid("this is no public key; send the output of `gpg --armor --export`")
    try:
        data = read_armor(armored, _LABEL)
        headers = list(islice(read_headers(data), MOST_PACKETS + 1))
    except ValueError:
        raise GpgKeyInvalid(_DAMAGED) from None
    _check_headers(headers)
    try:
        return pysequoia.Cert.from_bytes(data)
    except Exception:
        # The library raises several kinds and puts stack traces into its messages.
        raise GpgKeyInvalid(_DAMAGED) from None


def _check_headers(headers: Sequence[PacketHeader]) -> None:
    tags = [header.tag for header in headers]
    if not _SECRET_TAGS.isdisjoint(tags):
        raise GpgKeyInvalid("this is a secret key; send the public one, and take the secret one as leaked")
    if not _CERTIFICATE_TAGS.issuperset(tags):
        raise GpgKeyInvalid("this is not only a public key; send the output of `gpg --armor --export`")
    if len(headers) > MOST_PACKETS:
        raise GpgKeyInvalid(f"a key has at most {MOST_PACKETS} user ids, subkeys and signatures; {_EXPORT_LESS}")
    if tags.count(int(Tag.PublicKey)) != 1:
        raise GpgKeyInvalid("send one key at a time")
    if any(header.size > LARGEST_PACKET for header in headers if header.tag != int(Tag.UserAttribute)):
        raise GpgKeyInvalid(
            f"a key, user id or signature has at most {LARGEST_PACKET} bytes; "
            f"make a new key, of Ed25519 or RSA of {LONGEST_RSA_BITS} bits"
        )


def _describe(certificate: pysequoia.Cert) -> PublicKey:
    content = bytes(certificate)
    packets = list(PacketPile.from_bytes(content))
    if certificate.is_revoked:
        raise GpgKeyInvalid(
            "this key is revoked, so nothing is signed with it; if it was added before, remove it here as well"
        )
    keys = [packet for packet in packets if int(packet.tag) in _KEY_TAGS]
    _check_strength(keys[0])
    signing = _signing_keys(packets)
    if not signing:
        raise GpgKeyInvalid("this key can't sign; add a signing subkey to it")
    try:
        user_ids, expiration = certificate.user_ids, certificate.expiration
    except Exception:
        raise GpgKeyInvalid(
            "the key does not vouch for itself, or only by SHA-1; sign it anew with `gpg --cert-digest-algo "
            "SHA512 --quick-set-expire FINGERPRINT 2y`, and send it again"
        ) from None
    return PublicKey(
        fingerprint=certificate.fingerprint,
        subkeys=frozenset(key.fingerprint for key in keys[1:] if key.fingerprint is not None),
        user_ids=[_printable(str(user_id)) for user_id in user_ids],
        expires_at=_end_of_signing(expiration, signing),
        # Not str(certificate), which adds the user ids as comments, in a time that grows with their cube.
        ascii_armor=pysequoia.armor(content, pysequoia.ArmorKind.PublicKey),
    )


def _printable(user_id: str) -> str:
    """Show a user id, which its owner can't change, without what a terminal would obey."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in user_id
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
    if algorithm in _RSA and not SHORTEST_RSA_BITS <= int.from_bytes(primary.body[6:8]) <= LONGEST_RSA_BITS:
        raise GpgKeyInvalid(f"an RSA key has {SHORTEST_RSA_BITS} to {LONGEST_RSA_BITS} bits")
    if algorithm not in _RSA | _STRONG_ECC:
        raise GpgKeyInvalid("the key's algorithm is not RSA, ECDSA or EdDSA")
    if algorithm in _WITH_CURVE and primary.body[7 : 7 + primary.body[6]] not in _STRONG_CURVES:
        raise GpgKeyInvalid("the key's curve is not P-256, P-384, P-521 or Ed25519; make a key with one of these")


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
