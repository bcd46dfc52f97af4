"""Settings: from files and variables to objects."""
