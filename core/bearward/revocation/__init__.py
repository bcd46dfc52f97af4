"""Tokens that end before their time: in this process, or shared by a fleet."""
