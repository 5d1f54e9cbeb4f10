"""Whether the sound of a recording can be trusted: numbers from the one pass over its samples, held against limits."""
