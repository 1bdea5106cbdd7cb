"""The training loop: epochs of steps, states saved on the way, and the way back into them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.training import checkpoints, collective, denormals, interrupts
from pipeline.training.asking import never
from pipeline.training.feeding import Feeder
from pipeline.training.keeping import Keeper
from pipeline.training.plan import Plan, Row
from pipeline.training.running import Calls, Run, State
from pipeline.training.session import Session


def ignore(path: Path) -> None:
    """Nobody asks which files were removed."""
    del path


@interrupts.heard()
@denormals.flushed()
def train(
    session: Session,
    folder: Path,
    name: str,
    *,
    epochs: int,
    progress: Callable[[int], object],
    record: Callable[[Row], object],
    saved: Callable[[Path], object],
    rank: int = 0,
    size: int = 1,
    plan: Plan = Plan(),  # noqa: B008 - frozen
    start_from: Path | None = None,
    measure: Callable[[], Mapping[str, float]] | None = None,
    should_stop: Callable[[], int] = never,
    pruned: Callable[[Path], object] = ignore,
    compiling: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
) -> Path:
    """The last epoch's checkpoint, trained from the furthest good state in the folder.

    The last epoch is `epochs`, or the one in which the plan's early stopping says so. `start_from`
    is one .ckpt with a whole state to begin from where the folder holds none; its rows are recorded
    as if trained here. `progress` hears of samples worked through, `record` of each new epoch's row
    (for the rows before, see `checkpoints.rows`), `saved` of every file once it is whole, `pruned`
    of every file removed. `measure` gives the metrics of the test split; `should_stop` is asked
    between graphs: 0, or why, such as the number of a signal. Graphs are compiled inside
    `compiling()`, for seconds in which nothing is trained.

    An interrupt, a SIGTERM whose handler raises, and an error of `progress` or `should_stop` come
    between two graphs and end training with its state saved; the next call goes on from there.

    Of many ranks, which `cluster.join` brought together, all call this with the same arguments.
    The first alone reads and writes the folder, measures, and calls `record`, `saved` and `pruned`;
    the others return after it has saved all, and the path is one on its disk. Rows and progress are
    of all, and training stops, with its state saved, if any of them is asked to.

    Raises:
        StoppedEarlyError: `should_stop` said so.
        TrainingError: the loss became NaN or infinite, or there is nothing to train on.
        CheckpointError: the state to begin from does not fit this session.
        DatasetError: the network cannot work on the data, or there are more ranks than samples.
        DiskFullError: no space is left for a checkpoint.
    """
    keeper = Keeper(session, folder, name, plan, size, saved, pruned)
    calls = Calls(progress, record, measure, should_stop)
    with interrupts.held() as held:
        state = State.begin(keeper, epochs, start_from, calls, is_first=rank == 0)
        if not state.is_over:
            feeder = Feeder(session, plan, rank=rank, size=size, compiling=compiling)
            Run(keeper, feeder, state, calls, held, epochs=epochs).to_the_end()
        if rank == 0:
            keeper.finish()
        if size > 1:
            # Nobody goes on to read what the first rank is still writing.
            collective.broadcast_numbers([epochs])
    return checkpoints.path_of(folder, name, state.epoch)
