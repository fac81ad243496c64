"""Hidden codes, one file each, found by its name: maps of the gaps of the outputs that a server can undo."""
