"""What a run leaves behind: its log, its provenance, the published rows."""
