"""What a job reads: data and checkpoints, where they lie, how they come here, whether they did."""
