"""HTTP routes: they translate, functions do the work."""
