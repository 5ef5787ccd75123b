"""The story of one order from draft to statement, played as a client of the public HTTP API and of nothing else."""
