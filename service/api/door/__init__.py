"""What a call passes before a route sees it."""
