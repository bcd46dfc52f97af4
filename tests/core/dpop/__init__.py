"""DPoP in the core."""
