"""Steps → numbers: the class, work and shapes of each kernel."""
