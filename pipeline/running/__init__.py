"""One run of a job: prepared, opened, its stages in order, its record kept, its end honest."""
