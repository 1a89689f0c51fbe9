"""Why a release is not trusted, or is not any more: one class and one code a reason, with what to do about it."""

from domain.errors import ErrorKind, PlatformError
from domain.registry.errors import SignatureRefused


class SignatureMalformed(SignatureRefused):
    """The file is not exactly one binary, detached signature over a binary document."""

    code = "registry.signature_malformed"


class SignatureWeak(SignatureRefused):
    """The signature's hash algorithm is SHA-1 or weaker: other files with the same hash can be made."""

    code = "registry.signature_weak"


class SignatureMismatch(SignatureRefused):
    """The signature is not of these bytes, or not by a key that could sign at that time."""

    code = "registry.signature_mismatch"


class SignatureExpired(SignatureRefused):
    """The signature itself was made to expire, and has."""

    code = "registry.signature_expired"


class SignatureFromFuture(SignatureRefused):
    """The signature says that it was made later than now."""

    code = "registry.signature_from_future"


class SignatureKeyUnknown(SignatureRefused):
    """No key of the namespace made the signature."""

    code = "registry.signature_key_unknown"


class SignatureKeyExpired(SignatureRefused):
    """The key had expired when it signed; what it signed before stays good."""

    code = "registry.signature_key_expired"


class SignatureKeyRevoked(SignatureRefused):
    """The key was revoked, by its owner or in this registry, so nothing that it ever signed counts."""

    code = "registry.signature_key_revoked"


class StoredFileChanged(PlatformError):
    """A stored file of a published release is gone, or its bytes are not the ones that were published."""

    kind = ErrorKind.CONFLICT
    code = "registry.stored_file_changed"
