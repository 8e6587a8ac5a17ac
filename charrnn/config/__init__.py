"""Configurations: what can be chosen (`schema`), reading it, checking it (`resolve`), writing it."""
