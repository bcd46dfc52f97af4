"""Mutation: change the code in every small way, and see whether a test notices."""
