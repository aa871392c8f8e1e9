"""BytePlus ModelArk's models (Seed and others) for nanobot."""
