"""How hits are ranked: the signals, and the profiles that weigh them."""
