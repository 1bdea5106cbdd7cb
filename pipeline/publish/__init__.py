"""What leaves the run folder: incrementally, verified, manifest last; also while a run goes on.

`send` and `send_manifest` are the export at the end, `LiveExport` is the one before it.
"""

from pipeline.publish.live import LiveExport
from pipeline.publish.place import (
    Place,
    growing_at,
    missing,
    open_place,
    record_at,
    url_of,
)
from pipeline.publish.sending import Sent, note_sent, send, send_manifest

__all__ = [
    "LiveExport",
    "Place",
    "Sent",
    "growing_at",
    "missing",
    "note_sent",
    "open_place",
    "record_at",
    "send",
    "send_manifest",
    "url_of",
]
