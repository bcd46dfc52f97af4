"""The core alone: verifications in one process, alternated with those of other libraries."""
