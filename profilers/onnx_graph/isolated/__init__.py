"""Reading hostile models in a process of its own."""
