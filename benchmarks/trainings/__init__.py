"""Trainings to compare with, each a process of its own: python -m benchmarks.trainings.NAME ..."""

# The file in which the script in the samples' way leaves the number of bytes that it copied.
COPIED_NAME = "copied_bytes"
