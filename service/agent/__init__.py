"""What the agent of a device needs to work for a service."""
