"""Environments in which agents plan, behind one protocol."""
