"""Compiled functions of every make are fitted without Python, to the same bits."""
