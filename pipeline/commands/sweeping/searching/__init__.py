"""Sweeps whose jobs are chosen while they run: a space in YAML, asked of Optuna trial by trial.

command > preparing: parting, space > compose both ends of everything, or say all mistakes
command > course: trials (ask, watch, tell) > studies, which alone knows Optuna
"""
