"""`latcast score`: forecasts of long lists of architectures on several targets, made outside of the service.

`score` is the command; `architectures` reads the list, `sources` fetches what answers for each target, `forecasts` is
what an executor's processes do, and `parts` keeps what is done, so that a killed run is gone on with.
"""
