"""The keys of an embedded installation: made once, with the folder, and never again over data."""

from pathlib import Path
from typing import Final

from cli.errors import KeyMissing
from cli.supervisor.home import Home
from config.secrets import make_key_file
from config.settings import DEVELOPMENT_SECRETS

KEYS: Final = ("key_encryption_key", "pepper", "signing_key")


def ensure_keys(home: Home) -> dict[str, Path]:
    """Give the files of the keys, and make those that a home without data lacks.

    Raises:
        KeyMissing: there is data, and not the key it was made with.
    """
    directory = home.path / DEVELOPMENT_SECRETS
    directory.mkdir(mode=0o700, exist_ok=True)
    files = {name: directory / name.replace("_", "-") for name in KEYS}
    for file in (file for file in files.values() if not file.exists()):
        if home.postgresql.is_dir():
            raise KeyMissing(
                f"{file} is missing, and {home.path} holds data: a new key would open nothing of it; "
                "restore the file from a backup"
            )
        make_key_file(file)
    return files
