"""Unpacking archives: checked before anything is written, complete or absent afterwards."""

from pipeline.archives.extraction import extract
from pipeline.archives.formats import is_archive, stem
from pipeline.archives.member import ArchiveLimits, Contents

__all__ = ["ArchiveLimits", "Contents", "extract", "is_archive", "stem"]
