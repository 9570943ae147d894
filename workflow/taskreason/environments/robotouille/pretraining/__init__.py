"""What the laptop's base model learns before any task."""
