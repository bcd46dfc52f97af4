"""A page to look at: see three servers judge tokens, keys rotate and streams end. `python -m samples.playground`."""
