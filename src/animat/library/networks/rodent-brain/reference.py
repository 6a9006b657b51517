"""Weights that give a patch of any size the mean input of one of 0.4 mm."""

from __future__ import annotations

import msgspec

from animat.brain.distributions import scaled
from animat.brain.expectation import expected_projection
from animat.brain.network import Network, Projection

from .patch import REGIONS, Patch
from .sheets import make_sheets

#: Side of the patch in mm whose in-degrees the resting state has at any size. With those of 1 mm and the published
#: weights, cortex falls into seizures at the rates of a rodent at rest.
REFERENCE_MM = 0.4


def as_at_reference(network: Network, patch: Patch) -> Network:
    """Return the network with weights between sheets that bring the mean input of a patch of `REFERENCE_MM`.

    A small patch has fewer partners within reach. To keep the mean input by the weights is the usual way to change the
    size of such a network (van Albada et al. 2015, doi:10.1371/journal.pcbi.1004490).
    """
    if patch.side == REFERENCE_MM and patch.joined:
        return network
    here = {population.name: population for population in network.populations}
    reference = msgspec.structs.replace(patch, side=REFERENCE_MM, joined=True)
    there = {population.name: population for population in make_sheets(list(REGIONS), reference)}

    def weighted(projection: Projection) -> Projection:
        ends = projection.pre, projection.post
        if ends[0] not in there or ends[1] not in there:
            return projection
        found, wanted = (
            expected_projection(projection, known[ends[0]], known[ends[1]])[0] / known[ends[1]].size
            for known in (here, there)
        )
        factor = wanted / found if found and wanted else 1.0
        return msgspec.structs.replace(projection, weight=scaled(projection.weight, factor))

    return msgspec.structs.replace(network, projections=tuple(map(weighted, network.projections)))
