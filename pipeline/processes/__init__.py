"""Processes: ranks, a user's program, a platform's uploader; signals, and endings in time."""
