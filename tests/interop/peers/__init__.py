"""Programs that rows start as processes of their own: issuers, gateways, guarded servers."""
