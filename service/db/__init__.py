"""Tables and sessions."""
