"""The recipe for a text that comes without one: what is chosen from its length, the time and this machine, and why."""
