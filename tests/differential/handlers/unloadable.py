"""Cannot be loaded."""

raise RuntimeError("this handler cannot be loaded")
