"""Search tools that people use, each in a file; none of them is imported before one of its calls is made."""
