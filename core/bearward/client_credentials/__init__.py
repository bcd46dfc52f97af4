"""The client's side of the client credentials grant: what `bearward_grpc.client` and `bearward token` share. Private."""
