"""Bodies: their neutral description, muscles, and the engines that run them."""

from animat.body.engines import make_body_engine
from animat.body.load import load_body
from animat.body.model import BodyModel
from animat.body.protocol import BodyEngine, BodyInfo, BodyReply

__all__ = ["BodyEngine", "BodyInfo", "BodyModel", "BodyReply", "load_body", "make_body_engine"]
