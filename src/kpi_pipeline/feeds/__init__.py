"""What the sources must deliver, and the adapters that read them."""
