"""Who gets which mail when, and the proof that it went once."""
