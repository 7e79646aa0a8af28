"""What operators read: logs, metrics, readiness."""
