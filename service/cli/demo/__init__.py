"""`latcast demo`: the whole way of the data on this machine."""
