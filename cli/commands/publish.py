"""`groundwork publish`: modules and providers, from a folder on this machine into the registry."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

from cyclopts import App, Parameter

from cli.client.api import Api, Document
from cli.client.errors import FileUnusable
from cli.client.key_search import search_archive
from cli.client.packing import IGNORE_FILE, pack_module, survey_module
from cli.client.parsing import syntax_errors
from cli.client.provider_release import read_release
from cli.client.showing import PEOPLE, ClientOutput, without_controls
from cli.client.upload import Counted, in_bytes, upload_progress
from cli.output import examples
from domain.enumerating import first_of_counted

MODULES: Final = "/api/v1/modules"
PROVIDERS: Final = "/api/v1/providers"
CREATED: Final = 201
MOST_NAMED: Final = 10

publish = App(
    name="publish",
    help="Publish modules and providers.",
    help_format="plaintext",
    version_flags=[],
    help_epilogue=examples("groundwork publish module --help", "groundwork publish provider --help"),
)


@publish.command(
    help_epilogue=examples(
        "groundwork publish module ./network --namespace platform --name network --system aws --version 1.2.0",
        "groundwork publish module a.zip --namespace platform --name network --system aws --version 1.2.0",
    )
)
def module(
    source: Annotated[Path, Parameter(help="The module's folder, or an archive of it (tar.gz or zip).")],
    /,
    *,
    namespace: Annotated[str, Parameter(help="Namespace it is published in.")],
    name: Annotated[str, Parameter(help="The module's name.")],
    system: Annotated[str, Parameter(help="What it is for, as in aws.")],
    version: Annotated[str, Parameter(help="Semantic version, as in 1.2.0.")],
    description: Annotated[str, Parameter(help="A line for lists; by default that of the latest version.")] = "",
    output: ClientOutput = PEOPLE,
) -> None:
    """Publish a version of a module.

    A folder is packed on the way, without what its .terraformignore names, files that begin with a dot, *.tfvars
    and configuration of the tools; a file with an API key in it is refused. A published version never changes:
    the same bytes again are no error, others are.
    """
    fields = {
        "namespace": namespace,
        "name": name,
        "system": system,
        "version": version,
        "description": description,
    }
    title = f"{namespace}/{name}/{system} {version}"
    with Api.of_caller() as api, ExitStack() as stack:
        archive = _archive(api, source.expanduser(), stack, output)
        sent = stack.enter_context(upload_progress(title, archive.stat().st_size, quiet=output.quiet))
        file = stack.enter_context(Counted(archive, sent))
        status, made = api.upload(MODULES, fields, [("file", (archive.name, file))])
    _say(output, title, status, made)


@publish.command(help_epilogue=examples("groundwork publish provider ./dist --namespace platform"))
def provider(
    dist: Annotated[Path, Parameter(help="The `dist` folder of a goreleaser run.")],
    /,
    *,
    namespace: Annotated[str, Parameter(help="Namespace it is published in.")],
    output: ClientOutput = PEOPLE,
) -> None:
    """Publish a provider release: its SHA256SUMS, signature, manifest and packages.

    Name and version are those of the files. The key of the signature is one of the namespace's
    (`groundwork gpg-keys add`).
    """
    release = read_release(dist.expanduser(), namespace)
    title = f"{release.address} {release.version}"
    fields = {"namespace": namespace, "type": release.address.type, "version": release.version}
    with Api.of_caller() as api, ExitStack() as stack:
        sent = stack.enter_context(upload_progress(title, release.size, quiet=output.quiet))
        files = [("file", (name, stack.enter_context(Counted(path, sent)))) for name, path in release.files]
        status, made = api.upload(PROVIDERS, fields, files)
    _say(output, title, status, made)


def _archive(api: Api, source: Path, stack: ExitStack, output: ClientOutput) -> Path:
    """Give the archive to send: the one that was named, or a folder packed for as long as the stack is open."""
    if source.is_file():
        search_archive(source)
        return source
    if not source.is_dir():
        raise FileUnusable(f"{source} does not exist: name the module's folder or its archive")
    folder = survey_module(source)
    if folder.left_out:
        output.progress(
            f"left out: {', '.join(map(without_controls, folder.left_out))} "
            f"(a line !NAME in {IGNORE_FILE} takes one in)"
        )
    if folder.no_part:
        named = first_of_counted([without_controls(each) for each in folder.no_part], MOST_NAMED)
        output.progress(f"no part of the module: {named}")
    if errors := syntax_errors(source):
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        output.progress(f"warning: nobody will be able to use it: {without_controls(errors[0])}{more}")
    output.progress(f"packing {len(folder.files)} file(s), {in_bytes(folder.size)}")
    packed = Path(stack.enter_context(TemporaryDirectory(prefix="groundwork-"))) / "module.tar.gz"
    with packed.open("wb") as target:
        pack_module(folder, target, most=api.get("/version")["module_bytes"])
    return packed


def _say(output: ClientOutput, title: str, status: int, made: Document) -> None:
    done = f"published {title}"
    output.noun(made, done if status == CREATED else f"{title} was published before with the same bytes")
