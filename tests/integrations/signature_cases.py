"""The one table of signatures: what each tool says of them, and what is decided.

The tests beside it ask the tools and the verifier, and hold docs/explanation/signatures.md to it. The tools' words
are their own: of gpg the status keyword of its first verdict, of Sequoia whether one signature was good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pysequoia
from pysequoia.packet import PacketPile, Tag

from domain.registry.gpg_keys import PublicKey
from tests.fixtures.signing import Gpg, Signer, sign_without_fingerprint

CONTENT: Final = b"0" * 64 + b"  terraform-provider-time_0.1.0_linux_amd64.zip\n"
ACCEPTED: Final = "accepted"
MALFORMED: Final = "registry.signature_malformed"
WEAK: Final = "registry.signature_weak"
MISMATCH: Final = "registry.signature_mismatch"
KEY_UNKNOWN: Final = "registry.signature_key_unknown"
KEY_INVALID: Final = "registry.gpg_key_invalid"
INLINE: Final = pysequoia.SignatureMode.INLINE
CLEAR: Final = pysequoia.SignatureMode.CLEAR


@dataclass(frozen=True, slots=True)
class Workshop:
    """What signatures are made with: a signer and another one, and a gpg whose home is empty."""

    signer: Signer
    other: Signer
    gpg: Gpg


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature over CONTENT, as it claims, and the armored keys of the namespace that it is sent to."""

    signature: bytes
    keys: tuple[str, ...]
    bend: Callable[[list[PublicKey]], list[PublicKey]] = lambda keys: keys
    """Changes the keys after they were read, where no tool can make what is wanted."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table."""

    name: str
    make: Callable[[Workshop], Signed]
    sequoia: str
    gpg: str
    decided: str

    @property
    def row(self) -> str:
        """How the document shows it."""
        return f"| {self.name} | {self.sequoia} | {self.gpg} | {self.decided.removeprefix('registry.')} |"


def _good(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT), (shop.other.public, shop.signer.public))


def _by_a_name_in_another_script(_: Workshop) -> Signed:
    signer = Signer("\u6642\u8a08\u5c4b <clocks@example.com>")
    return Signed(signer.sign(CONTENT), (signer.public,))


def _forged(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT + b"x"), (shop.signer.public,))


def _of_a_stranger(shop: Workshop) -> Signed:
    return Signed(shop.other.sign(CONTENT), (shop.signer.public,))


def _armored(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT, armor=True), (shop.signer.public,))


def _inline(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT, mode=INLINE), (shop.signer.public,))


def _clearsigned(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT, mode=CLEAR), (shop.signer.public,))


def _empty(shop: Workshop) -> Signed:
    return Signed(b"", (shop.signer.public,))


def _twice(shop: Workshop) -> Signed:
    return Signed(shop.signer.sign(CONTENT) * 2, (shop.signer.public,))


def _one_bad_two_good(shop: Workshop) -> Signed:
    three = shop.signer.sign(CONTENT + b"x") + shop.signer.sign(CONTENT) + shop.other.sign(CONTENT)
    return Signed(three, (shop.signer.public, shop.other.public))


def _two_good_one_bad(shop: Workshop) -> Signed:
    three = shop.signer.sign(CONTENT) + shop.other.sign(CONTENT) + shop.signer.sign(CONTENT + b"x")
    return Signed(three, (shop.signer.public, shop.other.public))


def _with_digest(*options: str) -> Callable[[Workshop], Signed]:
    def make(shop: Workshop) -> Signed:
        key = shop.gpg.make_key("rsa2048")
        return Signed(shop.gpg.sign(CONTENT, "-u", key, *options), (shop.gpg.public(key),))

    return make


def _over_text(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("ed25519")
    return Signed(shop.gpg.sign(CONTENT, "-u", key, "--textmode"), (shop.gpg.public(key),))


def _signed_in(month: str) -> Callable[[Workshop], Signed]:
    """Sign in a month of 2024 with a key that the registry knows as expiring in June."""

    def make(shop: Workshop) -> Signed:
        key = shop.gpg.make_key("ed25519", "2024-06-01", at="20240101T000000")
        known = shop.gpg.public(key)
        shop.gpg.run("--quick-set-expire", key, "0", at="20240201T000000")
        return Signed(shop.gpg.sign(CONTENT, "-u", key, at=f"2024{month}01T000000"), (known,))

    return make


def _that_expired(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("ed25519", at="20240101T000000")
    options = ("-u", key, "--default-sig-expire", "30")
    return Signed(shop.gpg.sign(CONTENT, *options, at="20240301T000000"), (shop.gpg.public(key),))


def _of_the_future(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("ed25519")
    return Signed(shop.gpg.sign(CONTENT, "-u", key, at="20300101T000000"), (shop.gpg.public(key),))


def _revoked_by_its_owner(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("ed25519")
    signature = shop.gpg.sign(CONTENT, "-u", key)
    shop.gpg.revoke(key)
    return Signed(signature, (shop.gpg.public(key),))


def _revoked_here(shop: Workshop) -> Signed:
    then = datetime(2024, 6, 1, tzinfo=UTC)
    return Signed(
        shop.signer.sign(CONTENT),
        (shop.signer.public,),
        lambda keys: [key.model_copy(update={"revoked_at": then}) for key in keys],
    )


def _of_a_short_key(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("rsa1024")
    return Signed(shop.gpg.sign(CONTENT, "-u", key), (shop.gpg.public(key),))


def _by_a_subkey(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("ed25519")
    shop.gpg.run("--quick-add-key", key, "ed25519", "sign")
    return Signed(shop.gpg.sign(CONTENT, "-u", key), (shop.gpg.public(key),))


def _by_a_planted_subkey(shop: Workshop) -> Signed:
    packets = list(PacketPile.from_bytes(shop.other.public.encode()))
    subkey = next(at for at, packet in enumerate(packets) if int(packet.tag) == int(Tag.PublicSubkey))
    key = bytes(pysequoia.Cert.from_bytes(shop.signer.public.encode()))
    planted = key + bytes(packets[subkey]) + bytes(packets[subkey + 1])
    armored = pysequoia.armor(planted, pysequoia.ArmorKind.PublicKey)
    return Signed(shop.other.sign(CONTENT), (armored,))


def _with_a_twin(keys: list[PublicKey]) -> list[PublicKey]:
    """Put a key in front whose short name is the same; nobody can make one in a test, so only its name is."""
    twin = keys[0].model_copy(update={"fingerprint": "0" * 24 + keys[0].fingerprint[-16:]})
    return [twin, *keys]


def _beside_a_twin(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("rsa2048")
    return Signed(shop.gpg.sign(CONTENT, "-u", key), (shop.gpg.public(key),), _with_a_twin)


def _by_short_name(shop: Workshop) -> Signed:
    key = shop.gpg.make_key("rsa2048")
    return Signed(sign_without_fingerprint(shop.gpg, key, CONTENT), (shop.gpg.public(key),))


def _by_short_name_beside_a_twin(shop: Workshop) -> Signed:
    signed = _by_short_name(shop)
    return Signed(signed.signature, signed.keys, _with_a_twin)


CASES: Final = (
    Case("good, one of the namespace's keys", _good, "good", "GOODSIG", ACCEPTED),
    Case("good, by a signing subkey", _by_a_subkey, "good", "GOODSIG", ACCEPTED),
    Case(
        "good, the key's owner has a name in another script",
        _by_a_name_in_another_script,
        "good",
        "GOODSIG",
        ACCEPTED,
    ),
    Case("good, before its key expired", _signed_in("03"), "good", "EXPKEYSIG", ACCEPTED),
    Case("after its key expired", _signed_in("09"), "bad", "EXPKEYSIG", "registry.signature_key_expired"),
    Case("the signature itself has expired", _that_expired, "bad", "EXPSIG", "registry.signature_expired"),
    Case("made in the future", _of_the_future, "bad", "GOODSIG", "registry.signature_from_future"),
    Case("of other bytes (forged)", _forged, "bad", "BADSIG", MISMATCH),
    Case("by a key that the namespace does not have", _of_a_stranger, "bad", "ERRSIG", KEY_UNKNOWN),
    Case(
        "by a stranger's subkey, planted in the key",
        _by_a_planted_subkey,
        "bad",
        "ERRSIG",
        MISMATCH,
    ),
    Case("by a key that its owner revoked", _revoked_by_its_owner, "bad", "REVKEYSIG", KEY_INVALID),
    Case("by a key that was revoked here", _revoked_here, "good", "GOODSIG", "registry.signature_key_revoked"),
    Case("by an RSA key of 1024 bits", _of_a_short_key, "bad", "GOODSIG", KEY_INVALID),
    Case("SHA-1", _with_digest("--digest-algo", "SHA1"), "bad", "ERRSIG", WEAK),
    Case("MD5", _with_digest("--allow-weak-digest-algos", "--digest-algo", "MD5"), "bad", "ERRSIG", WEAK),
    Case("RIPEMD-160", _with_digest("--digest-algo", "RIPEMD160"), "bad", "GOODSIG", WEAK),
    Case("armored", _armored, "good", "GOODSIG", MALFORMED),
    Case("inline-signed message", _inline, "unreadable", "none", MALFORMED),
    Case("clear-signed text", _clearsigned, "good", "none", MALFORMED),
    Case("over a text document", _over_text, "good", "GOODSIG", MALFORMED),
    Case("empty", _empty, "unreadable", "NODATA", MALFORMED),
    Case("the same good one twice", _twice, "good", "GOODSIG", MALFORMED),
    Case("three, the first bad and two good", _one_bad_two_good, "bad", "BADSIG", MALFORMED),
    Case("three, two good and the last bad", _two_good_one_bad, "good", "GOODSIG", MALFORMED),
    Case("another key has the same short name", _beside_a_twin, "good", "GOODSIG", ACCEPTED),
    Case("names its key by the short name alone", _by_short_name, "good", "GOODSIG", ACCEPTED),
    Case("by a short name that two keys have", _by_short_name_beside_a_twin, "good", "GOODSIG", KEY_UNKNOWN),
)
