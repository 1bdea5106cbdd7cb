"""Loaders: one file per layout of data, reached by a dataset YAML's `_target_` only."""
