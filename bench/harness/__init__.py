"""What the benchmark programs share: servers, load, rounds and reports."""
