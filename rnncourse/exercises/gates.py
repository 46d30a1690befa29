"""Exercises of chapter 4: LSTM gates."""
