"""The models of GitHub Copilot."""
