"""Foreign models to numbers: the one place where bytes of strangers become what predictors read.

`reader` asks processes with limits (`child`), `features` are what can be asked for.
"""
