"""What this Python has, and wheels installed beside it; for the first step of all."""
