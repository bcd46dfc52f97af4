"""The key store at scale: fetches at the issuer, refusals, latencies beside a flood, memory."""
