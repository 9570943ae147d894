"""SFT and GRPO on single decisions."""
