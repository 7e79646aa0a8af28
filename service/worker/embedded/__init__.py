"""The worker that `latcast serve` starts beside itself when a training waits."""
