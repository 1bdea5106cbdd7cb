"""Denormal floats, those too small for full precision, taken alike by every thread.

On x86 MindSpore's own threads take them for zero, the thread that calls it does not, and timing
decides which of the two runs a kernel (MindSpore 2.7 and 2.10): two equal trainings differ then.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import struct
import sys
from collections.abc import Iterator

_ENVIRONMENT_BYTES = 32
_CONTROL = struct.Struct("<I")
_CONTROL_OFFSET = 28
_FLUSH_RESULTS, _TAKE_INPUTS_FOR_ZERO = 0x8000, 0x0040


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """This thread takes denormals for zero, as MindSpore's do; afterwards it is as it was."""
    # Elsewhere MindSpore's threads leave them alone.
    if sys.platform != "linux" or platform.machine() != "x86_64":
        yield
        return
    library = ctypes.CDLL("libm.so.6")
    before = ctypes.create_string_buffer(_ENVIRONMENT_BYTES)
    library.fegetenv(before)
    flushing = ctypes.create_string_buffer(before.raw, _ENVIRONMENT_BYTES)
    (control,) = _CONTROL.unpack_from(before.raw, _CONTROL_OFFSET)
    control |= _FLUSH_RESULTS | _TAKE_INPUTS_FOR_ZERO
    _CONTROL.pack_into(flushing, _CONTROL_OFFSET, control)
    library.fesetenv(flushing)
    try:
        yield
    finally:
        library.fesetenv(before)
