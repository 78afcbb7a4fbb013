"""What the invented creators wrote, one module per project."""
