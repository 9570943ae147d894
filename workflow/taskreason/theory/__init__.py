"""The paper's theorems on trained policies: what is measured, and what the theory says of it."""
