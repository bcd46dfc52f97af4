"""What an operator sees: events, log lines, metrics and spans, of real servers."""
