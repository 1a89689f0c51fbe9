"""Who may call the registry's routes: a parameter of one of these is the scope of a caller who may."""

from typing import Annotated

from fastapi import Depends

from api.dependencies import Requires
from domain.identity.permissions import Permission
from domain.scope import Scope

Reader = Annotated[Scope, Depends(Requires(Permission.REGISTRY_READ))]
ModulePublisher = Annotated[Scope, Depends(Requires(Permission.MODULE_PUBLISH))]
ProviderPublisher = Annotated[Scope, Depends(Requires(Permission.PROVIDER_PUBLISH))]
NamespaceClaimer = Annotated[Scope, Depends(Requires(Permission.NAMESPACE_CLAIM))]
NamespaceReader = Annotated[Scope, Depends(Requires(Permission.NAMESPACE_READ))]
KeyManager = Annotated[Scope, Depends(Requires(Permission.GPG_KEY_MANAGE))]
DownloadReader = Annotated[Scope, Depends(Requires(Permission.DOWNLOAD_READ))]
