"""Where a run comes from: provenance.json in its folder, for people and for `repeat`.

It names the code (git commit and what differs from it), everything installed, machine and
device, the data's digests, and the command. It is a record beside the run: nothing in it decides
whether a run is done, and a run goes on where it cannot be written.
"""

from __future__ import annotations

from pipeline.running.provenance.record import FILE_NAME, add_inputs, begin, now, parsed, read

__all__ = ["FILE_NAME", "add_inputs", "begin", "now", "parsed", "read"]
