"""Ten fixed networks of the zoo by whose latencies predictors describe a device (HELP, section 3.2)."""

from functools import cache

from latcast.schema import Architecture
from profilers.search_spaces.zoo import Zoo

__all__ = ["reference_networks"]

_TEXTS = (
    "residual/depth=18,width=32,resolution=128",
    "mobile/block=mbconv,depth=16,width=32,stages=5,resolution=128",
    "plain/stages=3,layers=2,width=32,resolution=96,hidden=0,classes=100",
    "dense/growth=16,depth=20,blocks=3,resolution=96",
    "convnext/width=32,depth=9,stages=4,resolution=96",
    "vision_transformer/patch=16,features=192,depth=4,resolution=160",
    "text_transformer/vocabulary=5000,length=64,features=256,depth=3",
    "unet/levels=4,width=16,layers=1,resolution=128",
    "recurrent/cell=lstm,input=features,length=32,features=64,hidden=128,layers=1",
    "recommender/inputs=28,tables=16,vocabulary=1000,features=64,hidden=512,depth=3",
)
"""Each bound by something else, in float32, and quick: 3 to 560 million multiply-accumulates. They are part of what
trained predictors keep, and do not change."""


@cache
def reference_networks() -> tuple[Architecture, ...]:
    """The ten networks, their texts in normal form."""
    return tuple(Zoo().parse(text) for text in _TEXTS)
