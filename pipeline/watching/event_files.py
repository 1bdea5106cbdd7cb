"""TensorBoard's event files, written with its own package and without TensorFlow.

Nothing else imports that package, and only a training for which it is installed imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

_VERSION = "brain.Event:2"


class EventFile:
    """Events at the end of an open file; each is handed to the system at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._records = file, RecordWriter(file)

    def begin(self, time_s: float) -> None:
        """The file's first events; by them a viewer forgets what older files told it."""
        self._write(Event(wall_time=time_s, file_version=_VERSION))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time_s, step=0, session_log=start))

    def numbers(self, values: Mapping[str, float], *, step: int, time_s: float) -> None:
        """One point of each of these curves."""
        points = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(Event(wall_time=time_s, step=step, summary=Summary(value=points)))

    def text(self, tag: str, content: str, *, time_s: float) -> None:
        """A text, which is read as Markdown."""
        data = SummaryMetadata.PluginData(plugin_name="text")
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        held = TensorProto(dtype=DT_STRING, string_val=[content.encode()], tensor_shape=shape)
        value = Summary.Value(
            tag=f"{tag}/text_summary", metadata=SummaryMetadata(plugin_data=data), tensor=held
        )
        self._write(Event(wall_time=time_s, step=0, summary=Summary(value=[value])))

    def settings(self, values: Mapping[str, Any], *, run_id: str, time_s: float) -> None:
        """The run's hyperparameters, plain values, for the table in which runs are compared."""
        summary = hparams_pb(dict(values), trial_id=run_id, start_time_secs=time_s)
        self._write(Event(wall_time=time_s, step=0, summary=summary))

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()
