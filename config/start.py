"""The beginning of every process of this product that has settings."""

from config.loading import load_settings
from config.logging import configure_logging
from config.settings import Settings


def begin_process() -> Settings:
    """Read the settings and log as they say. An entry point does so before anything else, which might log.

    Raises:
        SettingsInvalid: see load_settings.
    """
    settings = load_settings()
    configure_logging(settings.logging)
    return settings
