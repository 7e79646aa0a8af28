"""Networks as common libraries, converters and quantisers write them, with random weights, for the development set.

Each module has `NETWORKS`: the name of each network, and the function that builds it. `frozen.json` holds the hash of
each graph, so that the set cannot change unnoticed when a library does.
"""
