"""Networks: one file each, reached by a model YAML's `_target_` only; and what they share."""
