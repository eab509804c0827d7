"""What Snowmelt costs, as ratios to the server's own floor measured in the same run: `make bench`."""
