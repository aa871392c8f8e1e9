"""Baidu Qianfan's models (ERNIE and others) for nanobot."""
