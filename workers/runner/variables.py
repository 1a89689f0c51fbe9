"""What a run's inputs have to do with the variables of its module, in words for whoever gave them.

The CLI says which values it can't use or misses, in words about files and options of its own. What the module has
is read from its files without a parser: it only helps to see what was meant.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from domain.provisioning.events import RunTally
from domain.provisioning.failures import ErrorClass
from domain.provisioning.inputs import Inputs
from domain.provisioning.steps import StepFailure
from integrations.engines.engine import StepFolder
from workers.runner.files import read_regular

_UNDECLARED: Final = "Value for undeclared variable"
_MORE_UNDECLARED: Final = "Values for undeclared variables"
"""Behind the first two, which it names, the CLI only counts them."""
_MISSING: Final = "No value for required variable"
_NAMED: Final = re.compile(r'variable "([^"]+)"|variable named "([^"]+)"')
_DECLARATION: Final = re.compile(r'^[ \t]*variable[ \t]+"?([\w-]+)"?[ \t]*\{', re.MULTILINE)
_SENSITIVE: Final = "sensitive"
_CODE: Final = (".tf", ".tofu")
_JSON_CODE: Final = (".tf.json", ".tofu.json")
_LONGEST: Final = 1_000_000  # bytes that are read of a file
_MOST_LISTED: Final = 20


def unusable_inputs(
    said: RunTally, inputs: Inputs, declared: Collection[str], *, refuse_undeclared: bool
) -> StepFailure | None:
    """Say which inputs the module does not have and which it misses; None where the CLI complained of neither.

    Args:
        said: by the CLI.
        inputs: the plain ones.
        declared: variables that the module seems to have.
        refuse_undeclared: whether it is an error to give what the module does not have.
    """
    sentences = []
    if refuse_undeclared and (unknown := _unknown(said, inputs, declared)):
        sentences.append(_of_unknown(unknown, declared))
    missing = [name for d in said.errors if d.summary == _MISSING for name in _names(d.detail)[:1]]
    if missing:
        options = " ".join(f"--input {name}=..." for name in missing)
        sentences.append(f"the module needs a value for {_listed(missing)}: give it with {options}")
    return StepFailure(error_class=ErrorClass.CONFIG, message="; ".join(sentences)) if sentences else None


def may_be_exposed(folder: StepFolder, inputs: Inputs) -> bool:
    """Tell whether it is worth asking the CLI for exposed inputs, which may take it seconds."""
    return any(
        _SENSITIVE in text and not inputs.keys().isdisjoint(_declared(text, is_json=is_json))
        for text, is_json in _sources(folder)
    )


def exposed_inputs(described_plan: bytes, inputs: Inputs) -> tuple[str, ...]:
    """Name the plain inputs whose variables are sensitive, by what the CLI says of a plan."""
    try:
        found = json.loads(described_plan)["configuration"]["root_module"]["variables"]
        return tuple(sorted(name for name in inputs if found.get(name, {}).get(_SENSITIVE) is True))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ()


def exposure(names: Sequence[str]) -> StepFailure:
    """Say what to do about inputs that were exposed."""
    options = " ".join(f"--secret-input {name}" for name in names)
    return StepFailure(
        error_class=ErrorClass.CONFIG,
        message=(
            f"{_listed(names)} is sensitive in the module and was given as a plain input, which all who looked at "
            f"the run could see until now: give it with {options}, and change it if somebody may have"
        ),
    )


def declared_variables(folder: StepFolder) -> list[str]:
    """Give the names of the variables that a root module seems to have, in order of their names."""
    return sorted({name for text, is_json in _sources(folder) for name in _declared(text, is_json=is_json)})


def _unknown(said: RunTally, inputs: Inputs, declared: Collection[str]) -> list[str]:
    complaints = [d for d in said.diagnostics if d.summary in {_UNDECLARED, _MORE_UNDECLARED}]
    named = {name for complaint in complaints for name in _names(complaint.detail) if name in inputs}
    if any(complaint.summary == _MORE_UNDECLARED for complaint in complaints):
        named |= inputs.keys() - set(declared)
    return sorted(named)


def _of_unknown(unknown: Sequence[str], declared: Collection[str]) -> str:
    has = f"it has {_listed(sorted(declared))}" if declared else "it has none"
    near = {name: meant[0] for name in unknown if (meant := get_close_matches(name, declared, n=1))}
    question = f": did you mean {_listed(list(dict.fromkeys(near.values())))}?" if near else ""
    return f"the module has no variable {_listed(unknown)} ({has}){question}"


def _names(detail: str) -> list[str]:
    return [quoted or named for quoted, named in _NAMED.findall(detail)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_LISTED]) + (", ..." if len(names) > _MOST_LISTED else "")


def _sources(folder: StepFolder) -> Iterator[tuple[str, bool]]:
    for path in sorted(folder.module.iterdir()):
        is_json = path.name.endswith(_JSON_CODE)
        if not is_json and not path.name.endswith(_CODE):
            continue
        try:
            source = read_regular(folder.root, f"{folder.module.name}/{path.name}", count=_LONGEST)
        except OSError:
            continue
        yield source.decode(errors="replace"), is_json


def _declared(text: str, *, is_json: bool) -> list[str]:
    if not is_json:
        return _DECLARATION.findall(text)
    try:
        return list(json.loads(text)["variable"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
