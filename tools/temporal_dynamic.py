"""deploy/compose/temporal-dynamic.yaml: what deploy/temporal.yaml says, in the form that a server reads.

`make generate` writes it (tools/generate.py).
"""

from pathlib import Path
from typing import Final

import yaml

from integrations.temporal_configuration import TemporalConfiguration

TARGET: Final = Path(__file__).parents[1] / "deploy" / "compose" / "temporal-dynamic.yaml"
HEADING: Final = "# Generated from deploy/temporal.yaml by `make generate`; the reasons stand there.\n"


def render(configuration: TemporalConfiguration) -> str:
    """Give the file's text: each value as the only one of its key, for all namespaces and task queues."""
    values = {key: [{"value": value}] for key, value in configuration.dynamic_configuration.items()}
    return HEADING + yaml.safe_dump(values, sort_keys=False)
