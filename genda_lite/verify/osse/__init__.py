"""Twin experiments: the truth is known, the observing system ours to choose."""
