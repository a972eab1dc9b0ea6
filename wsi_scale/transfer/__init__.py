"""Pruning and fine-tuning of networks: training loop, channels, bases, depth, and evaluation."""
