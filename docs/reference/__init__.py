"""Makes what the documents say of keys, exit codes and errors from the code: make docs."""
