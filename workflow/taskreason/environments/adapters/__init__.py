"""The environments as other libraries take them: gymnasium, and TRL's environments of several turns.

Each module needs its library, an optional extra; none of them knows what a kitchen is.
"""
