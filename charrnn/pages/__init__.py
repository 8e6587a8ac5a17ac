"""The pages that commands write: HTML and pictures that need no other file, no network and no script."""
