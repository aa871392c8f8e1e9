"""Logins with model vendors: signing in, keeping the tokens, renewing them."""
