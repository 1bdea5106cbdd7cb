"""The commands beside running a job: bundle, doctor, repeat, runs, sweeps, Hydra's own flags."""
