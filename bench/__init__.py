"""What this can carry, measured beside bare baselines in the same run: `python -m bench`."""
