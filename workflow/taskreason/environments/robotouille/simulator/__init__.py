"""The kitchen simulator: layout files, generator, engine and observation text."""
