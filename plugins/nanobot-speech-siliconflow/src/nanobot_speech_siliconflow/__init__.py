"""Speech to text by SiliconFlow."""
