"""What model calls cost, by whom and for what, and budgets that stop them in time."""
