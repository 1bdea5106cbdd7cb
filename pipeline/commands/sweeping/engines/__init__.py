"""Where jobs of a sweep run: one module for each place, behind one small protocol."""
