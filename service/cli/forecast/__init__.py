"""Commands that forecast, adapt and explain."""
