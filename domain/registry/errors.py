"""What the registry refuses, one class and one code a reason; each sentence says what to do instead.

The reference of codes is written from here: what a class means, and in its second paragraph what to do.
"""

from domain.errors import ErrorKind, PlatformError


class NameInvalid(PlatformError):
    """A namespace, module, system or provider type breaks the name rules.

    Take small letters, digits and dashes (underscores where the sentence allows them), as the sentence says.
    """

    kind = ErrorKind.INVALID
    code = "registry.name_invalid"


class PlatformUnknown(PlatformError):
    """A package is for an operating system or architecture that Go has not, so no tool would ever ask for it.

    Name the zip after `GOOS_GOARCH`, as in linux_amd64.
    """

    kind = ErrorKind.INVALID
    code = "registry.platform_unknown"


class NamespaceReserved(PlatformError):
    """The namespace would be mistaken for something of the protocols or of the tools' makers.

    Choose another.
    """

    kind = ErrorKind.INVALID
    code = "registry.namespace_reserved"


class NamespaceTaken(PlatformError):
    """Another organization has claimed this namespace: it is unique in the installation.

    Choose another, or ask who publishes in it: nobody can give it up.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.namespace_taken"


class NamespaceConfusable(PlatformError):
    """The namespace reads like one that exists (dashes, 0 and o, 1, i and l, rn and m).

    Choose one that is told apart at a glance.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.namespace_confusable"


class NamespaceNotFound(PlatformError):
    """The organization has not claimed this namespace, so nothing can be published in it.

    Claim it first, or look for a slip in its name.
    """

    kind = ErrorKind.NOT_FOUND
    code = "registry.namespace_not_found"


class ModuleNotFound(PlatformError):
    """No such module, or no such version of it, in this organization.

    Look for a slip in the address; a list of modules or versions shows what there is.
    """

    kind = ErrorKind.NOT_FOUND
    code = "registry.module_not_found"


class ProviderNotFound(PlatformError):
    """No such provider, version or platform in this organization.

    Look for a slip in the address; the sentence says if the version was withdrawn or no longer verifies.
    """

    kind = ErrorKind.NOT_FOUND
    code = "registry.provider_not_found"


class ReplacementNotFound(PlatformError):
    """A version was named to be used in place of a deprecated one, and it is not on offer, or is that one itself.

    The sentence names those that are; publish the replacement first, or name an address.
    """

    kind = ErrorKind.INVALID
    code = "registry.replacement_not_found"


class FileNotFound(PlatformError):
    """The download address is not one that this registry gave out, or its time is over.

    Ask for a new one: run the command again.
    """

    kind = ErrorKind.NOT_FOUND
    code = "registry.file_not_found"


class FileLost(PlatformError):
    """The file was published, and its bytes are not in the blob store any more; the server's log names it.

    Have an operator restore it from a backup, or publish the same bytes again.
    """

    kind = ErrorKind.UNAVAILABLE
    code = "registry.file_lost"


class VersionInvalid(PlatformError):
    """The version is not one of Semantic Versioning 2.0 without build metadata.

    Write it as 1.2.3 or 1.2.3-rc.1.
    """

    kind = ErrorKind.INVALID
    code = "registry.version_invalid"


class VersionExists(PlatformError):
    """The version was published with other bytes: a published version never changes.

    Publish what changed as the next version.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.version_exists"


class VersionRefused(PlatformError):
    """The version was published before and can't be installed: its key was revoked, or its last check refused it.

    Publish the next version, signed with a key that is in use; the sentence says if this one can be mended.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.version_refused"


class UploadInvalid(PlatformError):
    """The request's body is not the parts that publishing needs, in their order.

    Send the fields first and then the files, under the names and in the order that the sentence gives.
    """

    kind = ErrorKind.INVALID
    code = "registry.upload_invalid"


class UploadStalled(PlatformError):
    """Nothing of the upload came for a minute, so it was given up, and nothing of it is kept.

    Send it again; if that happens each time, look at what stands between: a proxy that waits, a slow disk.
    """

    kind = ErrorKind.INVALID
    code = "registry.upload_stalled"


class UploadTooLarge(PlatformError):
    """A part of the upload is larger than this installation takes.

    Make it smaller, or have the operator raise the setting that the sentence names.
    """

    kind = ErrorKind.TOO_LARGE
    code = "registry.upload_too_large"


class ArchiveUnreadable(PlatformError):
    """The archive is damaged, of a kind that is not taken, or two readers could read it differently.

    Pack it anew with a usual tool, as the sentence says, and send it whole.
    """

    kind = ErrorKind.INVALID
    code = "registry.archive_unreadable"


class ArchivePathRefused(PlatformError):
    """A path in the archive leaves it, or does not mean one file on every system.

    Rename the file that the sentence names.
    """

    kind = ErrorKind.INVALID
    code = "registry.archive_path"


class ArchiveMemberRefused(PlatformError):
    """The archive has a member that is neither a file nor a folder: a link, a device, a sparse file.

    Replace a link by what it points to; leave the others out.
    """

    kind = ErrorKind.INVALID
    code = "registry.archive_member"


class ArchiveTooLarge(PlatformError):
    """The archive unpacks to more than is taken, in bytes, members or ratio.

    Leave out what is not needed.
    """

    kind = ErrorKind.TOO_LARGE
    code = "registry.archive_too_large"


class NotAModule(PlatformError):
    """The archive has no Terraform or OpenTofu configuration at its top, where the tools look for the module.

    Pack what is in the module's folder, without the folder itself.
    """

    kind = ErrorKind.INVALID
    code = "registry.not_a_module"


class DocumentsUnreadable(PlatformError):
    """A module's code can't be described; the version can be installed all the same.

    The reason says where the code is wrong, or which bound it passes; publish the next version, or have
    this one read again by POST to its documents, such as after a worker got a newer OpenTofu.
    """

    code = "registry.documents_unreadable"
    kind = ErrorKind.INVALID


class NotAProvider(PlatformError):
    """The zip holds no executable of the provider, so no tool could start it.

    Pack the executable as `terraform-provider-TYPE_vVERSION`, with its permissions, at the zip's top.
    """

    kind = ErrorKind.INVALID
    code = "registry.not_a_provider"


class PackageOfAnotherVersion(PlatformError):
    """The executable in the zip is named after another version than the one that is published.

    Pack the executable of this version: tools would install it without a word.
    """

    kind = ErrorKind.INVALID
    code = "registry.package_of_another_version"


class PackageOfAnotherPlatform(PlatformError):
    """The executable in the zip is built for another operating system than the zip is named after.

    Build it for the platform of the zip's name: nobody could start it there.
    """

    kind = ErrorKind.INVALID
    code = "registry.package_of_another_platform"


class ChecksumsInvalid(PlatformError):
    """The SHA256SUMS file is not exactly what both command line tools read.

    Write it with `sha256sum` in its plain form: hash, two blanks, name, no blank lines.
    """

    kind = ErrorKind.INVALID
    code = "registry.checksums_invalid"


class ChecksumMismatch(PlatformError):
    """A file of the release does not have the hash that SHA256SUMS gives, or is not named there.

    Write SHA256SUMS over exactly the files that are sent, and sign it again.
    """

    kind = ErrorKind.INVALID
    code = "registry.checksum_mismatch"


class ReleaseIncomplete(PlatformError):
    """SHA256SUMS names a package that was not sent: a release is published whole or not at all.

    Send every package, or write SHA256SUMS without the missing ones and sign it again.
    """

    kind = ErrorKind.INVALID
    code = "registry.release_incomplete"


class ManifestInvalid(PlatformError):
    """The release's manifest does not say which plugin protocols the provider speaks.

    Send `{"version": 1, "metadata": {"protocol_versions": ["5.0"]}}`, with the protocols of the provider.
    """

    kind = ErrorKind.INVALID
    code = "registry.manifest_invalid"


class GpgKeyInvalid(PlatformError):
    """The key is not one armored public key that can sign releases.

    Export it with `gpg --armor --export`.
    """

    kind = ErrorKind.INVALID
    code = "registry.gpg_key_invalid"


class GpgKeyNotFound(PlatformError):
    """No such key in this namespace.

    A list of the namespace's keys shows their ids.
    """

    kind = ErrorKind.NOT_FOUND
    code = "registry.gpg_key_not_found"


class GpgKeyRevoked(PlatformError):
    """The key was revoked here; a revoked key stays revoked.

    Sign with another, and add that.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.gpg_key_revoked"


class SignatureRefused(PlatformError):
    """The signature of SHA256SUMS does not show that a key of the namespace signed exactly these bytes.

    Sign again, with gpg 2.2 or later; the sentence says which tool refused.
    """

    kind = ErrorKind.INVALID
    code = "registry.signature_refused"


class SignatureMalformed(SignatureRefused):
    """The file is not exactly one binary, detached signature over a binary document.

    Make it with `gpg --detach-sign`, without `--armor`.
    """

    code = "registry.signature_malformed"


class SignatureWeak(SignatureRefused):
    """The signature's hash algorithm is SHA-1 or weaker: other files with the same hash can be made.

    Sign with `--digest-algo SHA512`.
    """

    code = "registry.signature_weak"


class SignatureMismatch(SignatureRefused):
    """The signature is not of these bytes, or not by a key that could sign at that time.

    Sign exactly the SHA256SUMS that is sent.
    """

    code = "registry.signature_mismatch"


class SignatureExpired(SignatureRefused):
    """The signature itself was made to expire, and has.

    Sign again, without an expiry.
    """

    code = "registry.signature_expired"


class SignatureFromFuture(SignatureRefused):
    """The signature says that it was made later than now.

    Set the signer's clock right, and sign again.
    """

    code = "registry.signature_from_future"


class SignatureKeyUnknown(SignatureRefused):
    """No key of the namespace made the signature.

    Add the key's public part to the namespace, or sign with one that was added.
    """

    code = "registry.signature_key_unknown"


class SignatureKeyExpired(SignatureRefused):
    """The key had expired when it signed; what it signed before stays good.

    Prolong the key, add it again, and sign anew.
    """

    code = "registry.signature_key_expired"


class SignatureKeyRevoked(SignatureRefused):
    """The key was revoked, by its owner or in this registry, so nothing that it ever signed counts.

    Sign with another key, and add that.
    """

    code = "registry.signature_key_revoked"


class PeriodInvalid(PlatformError):
    """The period of time that is asked about has no moment in it.

    Let `from` be before `to`; where one is left out, the sentence says what it is then.
    """

    kind = ErrorKind.INVALID
    code = "registry.period_invalid"


class StoredFileLost(PlatformError):
    """A stored file of a published release is gone, or can't be read, so the release could not be verified.

    That is the blob store's fault and not held against the release, which is served or refused as it was before.
    Publish the same files again, or restore the file from a backup, and have the release verified again.
    """

    kind = ErrorKind.UNAVAILABLE
    code = "registry.stored_file_lost"


class StoredFileChanged(PlatformError):
    """The bytes of a stored file of a published release are not the ones that were published.

    Publish the same files again, or restore the file from a backup and have the release verified again; where
    neither can be done, publish the next version.
    """

    kind = ErrorKind.CONFLICT
    code = "registry.stored_file_changed"
