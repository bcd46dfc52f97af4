"""What others say about the same tokens: joserfc and PyJWT, each configured with care."""
