"""What textbooks claim about recurrent networks, made into measurements: one file each, and one entry here.

This room knows cells, layers and the diagnosis; nothing of runs, tasks or the command line.
"""
