"""What a run will be, before it is one: its text looked at, its batches timed, its end foreseen, its faults told."""
