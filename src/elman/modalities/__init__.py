"""Raw value <-> tensors: a reader on the way in, a head with its loss and metric on the way out. One file each."""
