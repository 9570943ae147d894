"""Every number and phrase that the paper quotes."""
