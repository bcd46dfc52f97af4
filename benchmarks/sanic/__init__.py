"""A guarded Sanic route beside the same route unguarded."""
