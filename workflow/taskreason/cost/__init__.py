"""What a run would cost, from a stated model of FLOPs and bytes: :mod:`taskreason.cost.estimate`."""
