"""From tofu's description of a module (`tofu show -json -module=DIR`, OpenTofu 1.11 and later) to the nouns."""

import json
from typing import Any, Final

from pydantic import BaseModel, Field, JsonValue, TypeAdapter

from domain.registry.documents import Dependency, Input, ModulePart, Output, ProviderDependency, Resource

DEEPEST_TYPE: Final = 32
"""How many types are shown inside of one another; what is deeper is shown as `any`."""


class _Variable(BaseModel):
    type: JsonValue = "dynamic"
    description: str = ""
    default: JsonValue = None
    required: bool = False
    sensitive: bool = False
    ephemeral: bool = False
    deprecated: str | None = None


class _Output(BaseModel):
    description: str = ""
    sensitive: bool = False
    ephemeral: bool = False
    deprecated: str | None = None


class _Resource(BaseModel):
    mode: str
    type: str
    name: str


class _ModuleCall(BaseModel):
    source: str = ""
    version_constraint: str = ""


class _Provider(BaseModel):
    name: str
    full_name: str
    version_constraint: str = ""


class _Module(BaseModel):
    variables: dict[str, _Variable] = Field(default_factory=dict)
    outputs: dict[str, _Output] = Field(default_factory=dict)
    resources: list[_Resource] = Field(default_factory=list)
    module_calls: dict[str, _ModuleCall] = Field(default_factory=dict)


class _Description(BaseModel):
    provider_config: dict[str, _Provider] = Field(default_factory=dict)
    root_module: _Module = Field(default_factory=_Module)


_DEFAULT_HOST: Final = "registry.opentofu.org/"
"""What OpenTofu puts before an address that names no host; terraform would put another."""
_DESCRIPTION: Final = TypeAdapter(_Description)


def read_description(said: bytes, *, path: str, readme: str) -> ModulePart:
    """Give the part that tofu described.

    Raises:
        pydantic.ValidationError: this is no such description.
    """
    described = _DESCRIPTION.validate_json(said)
    module = described.root_module
    providers = {provider.full_name: provider for provider in described.provider_config.values()}
    part = ModulePart(
        path=path,
        name=path.rpartition("/")[2],
        readme=readme,
        empty=False,
        inputs=tuple(_input(name, variable) for name, variable in sorted(module.variables.items())),
        outputs=tuple(Output(name=name, **output.model_dump()) for name, output in sorted(module.outputs.items())),
        dependencies=tuple(
            Dependency(name=name, source=call.source, version=call.version_constraint)
            for name, call in sorted(module.module_calls.items())
        ),
        provider_dependencies=tuple(_provider(provider) for _, provider in sorted(providers.items())),
        resources=tuple(Resource(**resource.model_dump()) for resource in module.resources),
    )
    return part.model_copy(
        update={"empty": part == ModulePart(path=path, name=part.name, readme=readme, empty=False)}
    )


def _input(name: str, variable: _Variable) -> Input:
    secret = variable.sensitive or variable.ephemeral
    return Input(
        name=name,
        type=in_hcl(variable.type),
        description=variable.description,
        default=None if variable.required or secret else json.dumps(variable.default, ensure_ascii=False),
        required=variable.required,
        sensitive=variable.sensitive,
        ephemeral=variable.ephemeral,
        deprecated=variable.deprecated,
    )


def _provider(provider: _Provider) -> ProviderDependency:
    source = provider.full_name.removeprefix(_DEFAULT_HOST)
    return ProviderDependency(
        name=provider.name,
        namespace=source.rpartition("/")[0].rpartition("/")[2],
        source=source,
        version=provider.version_constraint,
    )


def in_hcl(type_: Any, depth: int = 0) -> str:  # noqa: ANN401  a JSON value of any shape
    """Write a type as people write it; it comes as the JSON of Go's cty types.

    >>> in_hcl(["map", ["object", {"a": "string", "b": "number"}, ["b"]]])
    'map(object({a = string, b = optional(number)}))'
    """
    match type_:
        case _ if depth > DEEPEST_TYPE:
            return "any"
        case "string" | "number" | "bool":
            return str(type_)
        case ["list" | "set" | "map" as kind, inner]:
            return f"{kind}({in_hcl(inner, depth + 1)})"
        case ["tuple", [*inners]]:
            return f"tuple([{', '.join(in_hcl(inner, depth + 1) for inner in inners)}])"
        case ["object", dict(fields), *optional]:
            left_out = set(optional[0]) if optional else set()
            shown = (
                _field(name, inner, depth, optional=name in left_out) for name, inner in sorted(fields.items())
            )
            return f"object({{{', '.join(shown)}}})"
        case _:
            return "any"


def _field(name: str, inner: JsonValue, depth: int, *, optional: bool) -> str:
    written = in_hcl(inner, depth + 1)
    return f"{name} = optional({written})" if optional else f"{name} = {written}"
