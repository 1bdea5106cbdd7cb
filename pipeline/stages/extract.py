"""extract: every archive is a folder, complete, under the digest of its content."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pipeline.archives import stem
from pipeline.context import Context
from pipeline.errors import Mistake
from pipeline.inputs import inputs, pretrained, receipts, unpacking
from pipeline.inputs.inputs import Fetched
from pipeline.inputs.wanted import Checkpoint, Wanted
from pipeline.stage import Outlook, State, stage

log = logging.getLogger(__name__)


def look(context: Context) -> Outlook:
    """Tells from folders and receipts what is unpacked already."""
    fetched = context.products.get("archives")
    if fetched is None:
        return Outlook("would unpack what is fetched")
    states = {item.name: _state_of(context, item) for item in fetched}
    text = "\n".join(f"{name}: {reason}" for name, (_, reason) in states.items())
    found = {state for state, _ in states.values()}
    if found != {"done"}:
        state: State = "changed" if "changed" in found else "todo"
        return Outlook(text, state, mistakes=_refused(context, fetched))
    folders = tuple(_folder(context, item) for item in fetched)
    checkpoint = _checkpoint(context, folders, context.products.get("checkpoint"))
    products = {"folders": folders, "checkpoint": checkpoint}
    return Outlook(text, "done", products, _facts(folders))


@stage(look=look, makes=("folders", "checkpoint"), runs_on="node", is_preparation=True)
def extract(
    context: Context, archives: tuple[Fetched, ...], checkpoint: Checkpoint | None = None
) -> tuple[tuple[Path, ...], Checkpoint | None]:
    """Unpacks what is not unpacked yet; a folder is there complete or not at all."""
    for item in archives:
        # Beside a mount nothing can be written, and a folder was complete when it came.
        if item.kind == "archive":
            unpacking.unpack_once(context, item, _folder(context, item))
        if not _is_linked(context, item):
            _link(_link_path(context, item), _link_target(context, item))
        elif _is_in_the_way(context, item):
            log.info("%s: no link to its data, %s", item.name, _what_is_there(context, item))
    folders = tuple(_folder(context, item) for item in archives)
    context.record(**_facts(folders))
    return folders, _checkpoint(context, folders, checkpoint)


def _refused(context: Context, fetched: tuple[Fetched, ...]) -> tuple[Mistake, ...]:
    """What is unpacked already, but is more than today's limits allow."""
    packed = [(item, _folder(context, item)) for item in fetched if item.kind == "archive"]
    there = [(item, folder) for item, folder in packed if folder.is_dir()]
    found = [unpacking.excess(context, item, folder) for item, folder in there]
    return tuple(filter(None, found))


def _state_of(context: Context, item: Fetched) -> tuple[State, str]:
    """Whether there is nothing left to do for this input, and what if there is."""
    folder = _folder(context, item)
    if item.kind == "archive":
        state, reason = unpacking.state_of(context, item, folder)
        if state != "done":
            return state, f"{reason}{_other_content(context, item)}"
    elif not folder.is_dir():
        return "todo", "would be looked for"
    if not _is_linked(context, item):
        return "todo", f"would link {_link_path(context, item)} to it"
    return "done", reason if item.kind == "archive" else "nothing to unpack"


def _checkpoint(
    context: Context, folders: tuple[Path, ...], fetched: Checkpoint | None
) -> Checkpoint | None:
    """The one that was fetched, or the one that lies in what the launch brought."""
    wanted = pretrained.find(context.job, context.output_dir) if fetched is None else None
    if isinstance(wanted, Wanted) and wanted.is_inside:
        # The models come after the data, and their checkpoints before those in the data.
        count = len(context.job.dataset.archives)
        return pretrained.inside((*folders[count:], *folders[:count]), wanted)
    return fetched


def _folder(context: Context, item: Fetched) -> Path:
    if item.kind != "archive":
        return item.path
    return inputs.unpacked_place(item.name, item.sha256, context.datasets)


def _other_content(context: Context, item: Fetched) -> str:
    """That the archive's name has led to another content until now, if it has."""
    link, target = _link_path(context, item), _link_target(context, item)
    before = Path(link.readlink()).name if link.is_symlink() else ""
    start = f"{stem(item.name)}-"
    if not before.startswith(start) or before == Path(target).name:
        return ""
    return f"; its content is another (sha256 {before[len(start) :]}… before, {target[-8:]}… now)"


def _facts(folders: tuple[Path, ...]) -> dict[str, int]:
    """What is unpacked, all archives together, as their receipts tell."""
    found = [receipts.last(folder) for folder in folders]
    return {name: sum(r.get(name, 0) for r in found) for name in ("members", "total_bytes")}


def _link_path(context: Context, item: Fetched) -> Path:
    """Code written for the platforms' samples looks for its data there."""
    return context.data_dir / stem(item.name)


def _is_linked(context: Context, item: Fetched) -> bool:
    """Whether that leads to the data; what is no link is none of ours and counts as it is."""
    link = _link_path(context, item)
    if not link.is_symlink():
        return link.exists()
    return str(link.readlink()) == _link_target(context, item)


def _is_in_the_way(context: Context, item: Fetched) -> bool:
    """Whether something else than a link, and than the data themselves, bears its name."""
    link = _link_path(context, item)
    return not link.is_symlink() and link.absolute() != _folder(context, item).absolute()


def _what_is_there(context: Context, item: Fetched) -> str:
    """Why nobody can have a link there."""
    link, folder = _link_path(context, item), _folder(context, item)
    whose = (
        "is where data are kept" if link in (context.downloads, context.datasets) else "was here"
    )
    return f"for {link} {whose}; they lie in {folder}"


def _link_target(context: Context, item: Fetched) -> str:
    """Relative where both lie in the data folder, so that it can be moved."""
    folder = _folder(context, item)
    is_ours = folder.parent == context.datasets
    return os.path.relpath(folder, context.data_dir) if is_ours else str(folder.absolute())


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.tmp{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target, target_is_directory=True)
    temporary.replace(link)
