"""One input of a job: where it lies, where it lands, whether it is here already.

What counts is what its receipt says of the day it came. The source is compared with that as far
as sources.py can tell cheaply; a source that cannot be reached takes nothing back. An archive that
was dropped once it was unpacked (dataset.keep_archives) is here while its folder is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline import transfer
from pipeline.archives import stem
from pipeline.disk.files import human_bytes, write_json
from pipeline.inputs import receipts, sources
from pipeline.inputs.sources import Version
from pipeline.job.job import Archive
from pipeline.messages.masking import fingerprint, mask_url
from pipeline.stage import State

_OTHER_QUERY = "its URL's query is another than before"

Kind = Literal["archive", "folder", "mount"]


@dataclass(frozen=True)
class Fetched:
    """An input that is here and verified. A folder or mount has no digest of its own.

    `is_new` if it came just now, and not before or by another process.
    """

    name: str
    kind: Kind
    path: Path
    size_bytes: int | None = None
    sha256: str | None = None
    etag: str = ""
    is_new: bool = field(default=False, compare=False)

    def facts(self, url: str) -> dict[str, Any]:
        """What the manifest says of it."""
        found = {"name": self.name, "kind": self.kind, "url": mask_url(url)}
        known = {"size_bytes": self.size_bytes, "sha256": self.sha256, "etag": self.etag}
        return {**found, **{key: value for key, value in known.items() if value}}


def kind_of(archive: Archive) -> Kind:
    """Whether it is an archive to unpack, a folder to copy or a folder to use in place."""
    if archive.mount:
        return "mount"
    if sources.without_query(archive.url).endswith("/"):
        return "folder"
    path = sources.local_path(archive.url)
    return "folder" if path is not None and path.is_dir() else "archive"


def landing_place(archive: Archive, downloads: Path, datasets: Path) -> Path:
    """Where the input is, or will be, under its final name."""
    kind = kind_of(archive)
    if kind == "mount":
        return Path(archive.url)
    if kind == "archive":
        return downloads / archive.name
    # The same name may come from two places; the place's digest keeps their folders apart.
    digest = hashlib.sha256(mask_url(archive.url).encode()).hexdigest()[:8]
    return datasets / f"{archive.name}-{digest}"


def successor_of(folder: Path) -> Path:
    """Where a changed folder grows, so that the one before it stays until all is there."""
    return folder.with_name(f".{folder.name}.tmp-new")


def arrived_bytes(path: Path) -> int:
    """How many bytes of an unfinished download are here and would be gone on from."""
    return transfer.arrived_bytes(successor_of(path) if path.is_dir() else path)


def as_known(archive: Archive, datasets: Path) -> Archive:
    """The input, its URL with a final slash where that has been found to name a folder."""
    if kind_of(archive) != "archive":
        return archive
    folder = archive.model_copy(update={"url": f"{archive.url}/"})
    if kind_of(folder) != "folder":
        return archive
    return folder if receipts.last(landing_place(folder, datasets, datasets)) else archive


def unpacked_place(name: str, sha256: str | None, datasets: Path) -> Path:
    """The folder that an archive of this name and digest becomes."""
    return datasets / f"{stem(name)}-{(sha256 or '')[:8]}"


def state_of(
    archive: Archive,
    path: Path,
    *,
    now: Version | None = None,
    datasets: Path | None = None,
) -> tuple[State, str]:
    """Whether the input is here, as far as receipts tell, and why not if not.

    `now` is what a storage has told of the source; below `datasets` the folder may lie that
    stands for a dropped archive.
    """
    if kind_of(archive) == "mount":
        return ("done", "used in place") if path.is_dir() else ("todo", f"no folder at {path}")
    receipt = receipts.last(path)
    if not path.exists() and not receipt.get("dropped"):
        return "todo", _would_fetch(archive, path)
    if not path.exists() and not _is_stood_for(archive, receipt, datasets):
        problem = "it was dropped once it was unpacked, and its folder is not there as it was"
        return "todo", f"{_would_fetch(archive, path, again=True)}: {problem}"
    if not receipt:
        problem = f"nothing vouches for what lies at {path}"
        return "todo", f"{_would_fetch(archive, path, again=True)}: {problem}"
    change = _change(archive, path, receipt, now)
    if change:
        return "changed", f"{_would_fetch(archive, path, again=True)}: {change}"
    if not path.exists():
        return "done", "already here and verified; the archive was dropped once it was unpacked"
    if now is None and _has_another_query(archive, receipt):
        return "done", f"already here and verified; {_OTHER_QUERY}, a run would ask"
    return "done", "already here and verified"


def known(archive: Archive, path: Path) -> Fetched:
    """The input that is here, from its receipt."""
    receipt = receipts.last(path)
    return Fetched(
        archive.name,
        kind_of(archive),
        path,
        receipt.get("size_bytes") if receipt.get("sha256") else receipt.get("total_bytes"),
        receipt.get("sha256"),
        str(receipt.get("etag", "")),
    )


def is_worth_asking(archive: Archive, path: Path) -> bool:
    """Whether the source, if it is asked, can tell something that counts."""
    receipt = receipts.last(path)
    is_declared = archive.sha256 and receipt.get("sha256") == archive.sha256
    can_tell = bool(receipt.get("source")) or _has_another_query(archive, receipt)
    return kind_of(archive) != "mount" and can_tell and not is_declared


def size_of(archive: Archive) -> int | None:
    """The input's size in bytes where that is known without asking a storage."""
    path = sources.local_path(archive.url)
    return path.stat().st_size if path is not None and path.is_file() else None


def _is_stood_for(archive: Archive, receipt: Mapping[str, Any], datasets: Path | None) -> bool:
    """Whether the folder is there that a dropped archive became."""
    if datasets is None:
        return False
    folder = unpacked_place(archive.name, receipt.get("sha256"), datasets)
    return receipts.vouches(folder) and receipts.last(folder).get("sha256") == receipt["sha256"]


def _change(archive: Archive, path: Path, receipt: Mapping[str, Any], now: Version | None) -> str:
    """Why what came is no longer what is asked for; empty where it is."""
    damage = receipts.damage(path) if path.exists() else ""
    if damage:
        is_told = receipt.get("withdrawn")
        return damage if is_told else f"{path} was changed since it came: {damage}"
    declared, found = archive.sha256, receipt.get("sha256")
    if declared and declared != found:
        return f"its sha256 is {str(found)[:12]}…, {declared[:12]}… is asked for"
    if declared:
        return ""
    if receipt.get("url") != mask_url(archive.url):
        return f"what is here came from {receipt.get('url')}"
    before = receipt.get("source")
    is_mute = now is not None and not sources.is_comparable(before, now)
    if is_mute and _has_another_query(archive, receipt):
        return f"{_OTHER_QUERY}, and the source does not tell what lies there"
    change = sources.difference(before, now or sources.here(archive.url))
    return f"it was changed there: {change}" if change else ""


def _has_another_query(archive: Archive, receipt: Mapping[str, Any]) -> bool:
    """Whether the URL differs in what no receipt shows; that may be a signature alone."""
    before = str(receipt.get("url_hint", ""))
    return bool(before) and before != fingerprint(archive.url, like=before)


def _would_fetch(archive: Archive, path: Path, *, again: bool = False) -> str:
    url, size_bytes = mask_url(archive.url), size_of(archive)
    here_bytes = arrived_bytes(path)
    problem = _why_not_resumed(archive, path) if here_bytes else ""
    if here_bytes and not problem:
        total = "" if size_bytes is None else f" of {size_bytes}"
        is_other = _has_another_query(archive, _read_begun(path))
        doubt = f" if that tells of the same; {_OTHER_QUERY}" if is_other else ""
        return f"would resume at byte {here_bytes}{total} from {url}{doubt}"
    anew = " anew" if again else ""
    if size_bytes is None:
        return f"would fetch it{anew} from {url}, size unknown before it is asked{problem}"
    return f"would fetch {human_bytes(size_bytes)}{anew} from {url}{problem}"


def _why_not_resumed(archive: Archive, path: Path) -> str:
    """Why what an interrupted download left may be of no use, as far as can be told from here."""
    begun = _read_begun(path)
    if begun.get("url", mask_url(archive.url)) != mask_url(archive.url):
        return f" (the one that broke off was from {begun['url']})"
    change = sources.difference(begun.get("source"), sources.here(archive.url))
    return f" (it was changed since a download broke off: {change})" if change else ""


def begin(archive: Archive, path: Path) -> None:
    """It is on record what a download, should it break off, was of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(_begun_path(path), {**origin(archive), "source": sources.here(archive.url)})


def end(path: Path) -> None:
    """No download has broken off."""
    _begun_path(path).unlink(missing_ok=True)


def origin(archive: Archive) -> dict[str, str]:
    """The input's URL, as far as it may be shown, and what tells it from others."""
    hint = fingerprint(archive.url)
    return {"url": mask_url(archive.url), **({"url_hint": hint} if hint else {})}


def _read_begun(path: Path) -> dict[str, Any]:
    """What the download that broke off was of; empty where nothing tells."""
    try:
        found = json.loads(_begun_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _begun_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.begun.json")
