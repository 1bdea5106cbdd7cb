"""Writes the schemas and the page of keys: python -m docs.reference."""

from __future__ import annotations

from docs.reference import keys, schemas

for path, text in {**schemas.files(), **keys.files()}.items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
