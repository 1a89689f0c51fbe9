"""What the registry's routes accept and answer beside the nouns of domain.registry."""

from typing import Any, Final

from pydantic import BaseModel, Field

from domain.registry.gpg_keys import LARGEST_KEY
from domain.registry.withdrawals import Line
from domain.text import Text


class NamespaceCreate(BaseModel, extra="forbid"):
    """A namespace to claim."""

    name: Text = Field(min_length=1, max_length=64, examples=["acme"])


class GpgKeyCreate(BaseModel, extra="forbid"):
    """A public key to add."""

    ascii_armor: Text = Field(
        min_length=1, max_length=LARGEST_KEY, description="Output of `gpg --armor --export FINGERPRINT`."
    )


class DeprecationPut(BaseModel, extra="forbid"):
    """What the users of a version are told."""

    message: Line = Field(description="Why, and what to do.", examples=["Its subnets overlap."])
    replacement: Line | None = Field(
        default=None, description="What to use instead: another version or address.", examples=["2.0.0"]
    )


class YankPut(BaseModel, extra="forbid"):
    """Why a version is not offered any more."""

    reason: Line = Field(examples=["It destroys the database on upgrade."])


def _form(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": properties, "required": required}}


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_FILE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}

MODULE_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A form whose last part is the archive; or the archive alone, with the fields as query.",
        "content": {
            "multipart/form-data": _form(
                {
                    "namespace": _TEXT,
                    "name": _TEXT,
                    "system": _TEXT,
                    "version": _TEXT,
                    "description": _TEXT,
                    "file": _FILE,
                },
                ["namespace", "name", "system", "version", "file"],
            ),
            "application/gzip": {"schema": _FILE},
            "application/zip": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}
PROVIDER_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": (
            "A form with the release's files under their own names, in this order: SHA256SUMS, its signature, "
            "the manifest, every zip that SHA256SUMS names. Fields come first, or as query."
        ),
        "content": {
            "multipart/form-data": _form(
                {
                    "namespace": _TEXT,
                    "type": _TEXT,
                    "version": _TEXT,
                    "file": {"type": "array", "items": _FILE},
                },
                ["namespace", "type", "version", "file"],
            )
        },
    }
}
