"""What bench/run is made of: processes, contestants, scenarios, targets."""
