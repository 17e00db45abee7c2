"""The results of bench/run as one HTML file."""
