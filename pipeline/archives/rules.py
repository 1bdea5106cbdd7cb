"""What of an archive may be written, decided as its members come."""

from __future__ import annotations

from pipeline.archives.member import ArchiveLimits, Contents, Kind, Member
from pipeline.disk.files import human_bytes
from pipeline.disk.folders import inside
from pipeline.errors import ArchiveError, DamagedArchiveError, IntegrityError


class Rules:
    """Admits members that may lie together in one folder, within the limits.

    `folders` are those that are needed, also where the archive does not list them.
    """

    def __init__(self, limits: ArchiveLimits, *, archive: str, archive_bytes: int) -> None:
        """Starts with nothing admitted; `archive` is the name for messages."""
        self.folders: set[str] = set()
        self._limits = limits
        self._archive = archive
        self._archive_bytes = archive_bytes
        self._size_bytes = 0
        self._seen = 0
        # Whether each is a file that a hard link may mean; links count as no folders too.
        self._files: dict[str, bool] = {}
        self._listed: set[str] = set()
        self._hard_links: list[Member] = []

    def admit(self, member: Member) -> bool:
        """Counts the member; tells whether it is one, and not the folder of all.

        A link is looked at by `admit_link`, since its target may be known later.

        Raises:
            ArchiveError: its name leads out, it clashes with another or it is too much.
        """
        self._count(member.size_bytes)
        if member.kind is Kind.FOLDER and member.name in ("", "."):
            return False
        try:
            name = inside(member.name, origin=self._archive)
        except IntegrityError as error:
            raise ArchiveError(str(error)) from error
        if member.kind is Kind.FOLDER:
            self._listed.add(name)
            self._need_folder(name)
        else:
            self._add_file(name, is_file=member.kind is Kind.FILE)
        return True

    def admit_link(self, link: Member) -> None:
        """The link points up no further than to the root, and then only down.

        After a step down no step up is allowed: that way may lead through another link,
        and then up means something else on the disk than in the text.

        Raises:
            ArchiveError: it may point outside.
        """
        steps = _steps(link.target)
        climb = next((i for i, part in enumerate(steps) if part != ".."), len(steps))
        depth = link.name.count("/") if link.kind is Kind.SYMLINK else 0
        is_odd = not steps or link.target.startswith("/") or {"\\", "\0"} & set(link.target)
        if is_odd or climb > depth or ".." in steps[climb:]:
            raise self._bad_link(link)
        if link.kind is Kind.HARDLINK:
            self._hard_links.append(link)

    def finish(self) -> Contents:
        """What was admitted, after the last member.

        Raises:
            ArchiveError: there is nothing, or a hard link means no file of the archive.
        """
        for link in self._hard_links:
            if not self._files.get("/".join(_steps(link.target))):
                raise self._bad_link(link)
        members = len(self._files) + len(self._listed)
        if not members:
            raise DamagedArchiveError(
                f"{self._archive}: is empty; fetch it again, or pack it again."
            )
        return Contents(members, self._size_bytes)

    def _count(self, size_bytes: int) -> None:
        if size_bytes < 0:
            raise DamagedArchiveError(
                f"{self._archive}: damaged, a member has {size_bytes} bytes; fetch it again."
            )
        self._seen += 1
        self._size_bytes += size_bytes
        if self._seen > self._limits.members:
            raise self._excess(f"{self._limits.members} members", key="members")
        if self._size_bytes > self._limits.bytes:
            raise self._excess(human_bytes(self._limits.bytes), key="bytes")
        if self._size_bytes > self._limits.ratio * self._archive_bytes:
            packed = human_bytes(self._archive_bytes)
            raise self._excess(f"{self._limits.ratio:g} times its {packed}", key="ratio")

    def _add_file(self, name: str, *, is_file: bool) -> None:
        if name in self._files:
            raise ArchiveError(
                f"{self._archive}: {name!r} comes twice; nothing says which counts. "
                f"Pack it again with each name once."
            )
        if name in self.folders:
            raise self._clash(name)
        self._files[name] = is_file
        self._need_folder(name.rpartition("/")[0])

    def _need_folder(self, folder: str) -> None:
        while folder and folder not in self.folders:
            if folder in self._files:
                raise self._clash(folder)
            self.folders.add(folder)
            folder = folder.rpartition("/")[0]

    def _clash(self, name: str) -> ArchiveError:
        return ArchiveError(
            f"{self._archive}: {name!r} is a file or link in it, and a folder too; "
            f"pack it again with other names."
        )

    def _bad_link(self, link: Member) -> ArchiveError:
        return ArchiveError(
            f"{self._archive}: {link.kind.value} {link.name!r} points to {link.target!r}, which "
            f"may be outside; pack it again without links (tar --dereference). "
            f"Nothing is left of what was unpacked."
        )

    def _excess(self, limit: str, *, key: str) -> ArchiveError:
        return ArchiveError(
            f"{self._archive}: unpacks to more than {limit}, which is the limit; if you trust it, "
            f"raise dataset.limits.{key}."
        )


def _steps(target: str) -> list[str]:
    return [part for part in target.split("/") if part not in ("", ".")]
