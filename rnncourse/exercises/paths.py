"""Exercises of chapter 2: back-propagation through time, path by path."""
