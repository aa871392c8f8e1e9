"""Puts an instance together: configuration, plugins, agent. Only this place knows them all."""
