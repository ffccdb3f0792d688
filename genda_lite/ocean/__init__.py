"""How the surface ocean moves: balanced, curved and wind-driven currents, and the paths of what drifts with them."""
