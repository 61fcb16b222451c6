"""Baselines: the plain methods that every score of a trained network is shown beside.

A baseline knows nothing of torch, of files or of the networks: arrays go in, predictions come out. One file each.
"""
