"""What the product asks of a Temporal server: deploy/temporal.yaml, read."""

import functools
import json
from pathlib import Path

import yaml
from pydantic import BaseModel, Field


class TemporalConfiguration(BaseModel, frozen=True, extra="forbid"):
    """Dynamic configuration and search attributes, as deploy/temporal.yaml lists them."""

    dynamic_configuration: dict[str, bool | int | float | str] = Field(alias="dynamicConfiguration")
    search_attributes: dict[str, str] = Field(alias="searchAttributes")

    def flags(self) -> list[str]:
        """Give both as arguments of `temporal server start-dev`."""
        dynamic = (f"{key}={json.dumps(value)}" for key, value in self.dynamic_configuration.items())
        attributes = (f"{name}={kind}" for name, kind in self.search_attributes.items())
        return [
            *(word for value in dynamic for word in ("--dynamic-config-value", value)),
            *(word for value in attributes for word in ("--search-attribute", value)),
        ]


@functools.cache
def temporal_configuration() -> TemporalConfiguration:
    """Read the list. The wheel has the file at the same place beside the packages."""
    path = Path(__file__).parents[1] / "deploy" / "temporal.yaml"
    return TemporalConfiguration.model_validate(yaml.safe_load(path.read_text()))
