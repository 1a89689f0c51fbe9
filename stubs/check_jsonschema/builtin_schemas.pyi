# What the tests use of check-jsonschema, which carries the compose specification's schema and has no types.
from typing import Any

def get_builtin_schema(name: str) -> dict[str, Any]: ...
