"""Writes the schemas, the pages of keys and rooms, and the pictures: python -m docs.reference."""

from __future__ import annotations

from docs.reference import flow, keys, path, rooms, schemas

for file, text in {
    **schemas.files(),
    **keys.files(),
    **rooms.files(),
    **flow.files(),
    **path.files(),
}.items():
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
