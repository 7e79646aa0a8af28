"""The service's own work, beside the API."""
