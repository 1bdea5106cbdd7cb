"""Moving files between the local disk and a storage: resumable, retried, verified, atomic.

Nothing here knows where a URL leads; that is storage's business.
"""

from pipeline.transfer.arrived import arrived_bytes
from pipeline.transfer.download import download
from pipeline.transfer.folder import download_folder
from pipeline.transfer.receipt import Receipt
from pipeline.transfer.retry import Limits, retry
from pipeline.transfer.upload import upload

__all__ = [
    "Limits",
    "Receipt",
    "arrived_bytes",
    "download",
    "download_folder",
    "retry",
    "upload",
]
