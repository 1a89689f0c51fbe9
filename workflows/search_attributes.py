"""What operators can search workflows by in the Temporal Web UI; deploy/temporal.yaml has the same names.

They are not encrypted: ids, names of states and environments, nothing secret or personal.
"""

from typing import Final

from temporalio.common import SearchAttributeKey

ORGANIZATION_ID: Final = SearchAttributeKey.for_keyword("OrganizationId")
AREA: Final = SearchAttributeKey.for_keyword("Area")
RESOURCE_ID: Final = SearchAttributeKey.for_keyword("ResourceId")
RUN_STATE: Final = SearchAttributeKey.for_keyword("RunState")
ENVIRONMENT: Final = SearchAttributeKey.for_keyword("Environment")
BY_NAME: Final = {key.name: key for key in (ORGANIZATION_ID, AREA, RESOURCE_ID, RUN_STATE, ENVIRONMENT)}
