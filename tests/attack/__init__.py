"""The attack table: hostile tokens, good tokens and odd JWK Sets, each with the verdict that it must get.

It is data that is generated anew in each run. The same table is run against the core, the HTTP sample and the gRPC
sample: `make attack`.
"""
