"""What a Temporal server must know before the product's workflows can start on it."""

from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from integrations.temporal_configuration import temporal_configuration

RETENTION: Final = timedelta(days=30)
TIMEOUT: Final = timedelta(seconds=10)
KINDS: Final = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


async def register(client: Client) -> list[str]:
    """Make the client's namespace and the search attributes where they are missing; say what was made.

    Harmless again, and when two do it at once.
    """
    made = []
    if await _register_namespace(client):
        made.append(f"namespace {client.namespace}")
    missing = await missing_search_attributes(client)
    if missing:
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes={name: KINDS[kind] for name, kind in missing.items()}
        )
        try:
            await client.operator_service.add_search_attributes(request, timeout=TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
        made += [f"search attribute {name}" for name in missing]
    return made


async def missing_search_attributes(client: Client) -> dict[str, str]:
    """Give the search attributes of deploy/temporal.yaml that the server lacks, with their kinds."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    there = await client.operator_service.list_search_attributes(request, timeout=TIMEOUT)
    wanted = temporal_configuration().search_attributes
    return {name: kind for name, kind in wanted.items() if there.custom_attributes.get(name) != KINDS[kind]}


async def _register_namespace(client: Client) -> bool:
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    request = RegisterNamespaceRequest(
        namespace=client.namespace, workflow_execution_retention_period=retention, description="Groundwork"
    )
    try:
        await client.workflow_service.register_namespace(request, timeout=TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return False
        raise
    return True
