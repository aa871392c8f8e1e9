"""Feishu and Lark: a chat app as a channel of nanobot."""
