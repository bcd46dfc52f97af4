"""What a bad token costs: the worst shapes that we know, and how they are measured."""
