"""Names of deployments and environments, and the tags that people sort them by."""

from typing import Annotated, Final

from pydantic import StringConstraints

from domain.text import Spelled, Text

DEVELOPMENT: Final = "development"
"""The environment of a deployment for which nobody named one."""

DeploymentName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
    Spelled("is written with a-z, 0-9 and - between them, in at most 63 characters"),
]
"""Name of a deployment, unique in its organization: a DNS label (RFC 1123), so that it can name things."""

EnvironmentName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"),
    Spelled("is written with a-z, 0-9 and - between them, a letter first, in at most 32 characters"),
]
"""Name of an environment: development, staging, production, or an organization's own."""

Tags = dict[
    Annotated[Text, StringConstraints(min_length=1, max_length=63)],
    Annotated[Text, StringConstraints(max_length=255)],
]
"""Words that people sort runs and deployments by."""
