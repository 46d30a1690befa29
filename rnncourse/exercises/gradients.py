"""Exercises of chapter 3: vanishing and exploding gradients."""
