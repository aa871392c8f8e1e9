"""Servers that speak a vendor's dialect and do as they are told."""
