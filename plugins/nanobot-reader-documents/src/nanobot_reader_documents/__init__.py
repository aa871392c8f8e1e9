"""Takes the text out of PDF, Word, Excel and PowerPoint files."""
