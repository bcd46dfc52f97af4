"""The project's own tools: what the Makefile runs beside the tools from the registry."""
