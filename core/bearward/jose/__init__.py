"""JOSE as the RFCs write it (7515, 7517, 7518, 8037, 9864): pure functions over bytes, no I/O, no clock, no logging."""
