"""MindRun: a declarative, config-driven pipeline runner for MindSpore jobs."""
