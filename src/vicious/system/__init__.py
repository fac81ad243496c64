"""Files, signals, progress, randomness, threads, errors."""
