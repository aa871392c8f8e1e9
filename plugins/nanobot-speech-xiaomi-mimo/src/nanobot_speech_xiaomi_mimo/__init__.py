"""Speech to text by Xiaomi MiMo."""
