"""A trained network on disk: made by `sitting.train`, opened by `run.load`.

Nothing is imported here, so that who only reads folders, as the list of runs does, loads no torch.
"""
