"""Firing rates of a limb's afferents: of its muscles (Ia, II, Ib), and of the skin of its paw.

For muscles, three published equations, fitted to cats, each a function here in the units in which it was published;
`Afferents` scales them to muscles of any size. For the skin, `touch_rate` of the force on it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from animat.body.model import BodyModel, Link, Muscle
from animat.body.pose import rotate
from animat.errors import AnimatError, unknown_name

__all__ = ["HIGHEST_RATE", "Afferents", "Rates", "primary_rate", "secondary_rate", "tendon_organ_rate", "touch_rate"]

Array = NDArray[np.float64]

#: Hz. Ensembles of afferents peaked at 150 to 200 impulses/s in walking cats (Prochazka and Gorassini 1998, Ensemble
#: firing of muscle afferents, J Physiol 507:293, doi:10.1111/j.1469-7793.1998.293bu.x); beyond, nothing was fitted.
HIGHEST_RATE = 200.0

#: m. Length of the hamstring muscles that the spindle equations were fitted to; see docs/afferents.md.
_HAMSTRING_LENGTH = 0.1

#: N. Maximal isometric force of the cat's soleus (Millard, Franklin and Herzog 2024, table 1, doi:10.7554/eLife.88344).
_SOLEUS_FORCE = 21.5


class Rates(NamedTuple):
    """Mean rates in Hz of one afferent of each kind, one number per muscle."""

    ia: Array
    ii: Array
    ib: Array


def primary_rate(displacement_mm: ArrayLike, velocity_mm_s: ArrayLike, activation: ArrayLike = 0.0) -> Array:
    """Return the rate in Hz of a spindle's primary afferent (Ia) of a cat's hamstring muscle.

    Ia = 50 + 2 d + 4.3 sign(v) abs(v)^0.6 + 50 a, held between 0 and `HIGHEST_RATE`. The gains of d and v are the fit
    of Prochazka and Gorassini 1998, Models of ensemble firing of muscle spindle afferents, J Physiol 507:277,
    doi:10.1111/j.1469-7793.1998.277bu.x, whose constant, without a term in a, was 82. Constant and gain of a are those
    of Moraud et al. 2016, doi:10.1016/j.neuron.2016.01.009, after Prochazka 1999, Prog Brain Res 123:133,
    doi:10.1016/S0079-6123(08)62850-2.

    Parameters
    ----------
    displacement_mm
        d, the muscle's stretch in mm from the length about which it moves.
    velocity_mm_s
        v, its velocity in mm/s; lengthening is positive.
    activation
        a, its activation from 0 to 1, for the normalised electromyogram: alpha-gamma co-activation.
    """
    displacement, velocity, activation = np.asarray(displacement_mm), np.asarray(velocity_mm_s), np.asarray(activation)
    dynamic = 4.3 * np.sign(velocity) * np.abs(velocity) ** 0.6
    return _within(50.0 + 2.0 * displacement + dynamic + 50.0 * activation)


def secondary_rate(displacement_mm: ArrayLike, activation: ArrayLike = 0.0) -> Array:
    """Return the rate in Hz of a spindle's secondary afferent (II) of a cat's hamstring muscle.

    II = 80 + 13.5 d + 20 a, held between 0 and `HIGHEST_RATE`; Moraud et al. 2016, doi:10.1016/j.neuron.2016.01.009,
    after Prochazka 1999, Prog Brain Res 123:133, doi:10.1016/S0079-6123(08)62850-2.

    Parameters
    ----------
    displacement_mm, activation
        d and a as in `primary_rate`.
    """
    return _within(80.0 + 13.5 * np.asarray(displacement_mm) + 20.0 * np.asarray(activation))


def tendon_organ_rate(force_n: ArrayLike) -> Array:
    """Return the steady rate in Hz of a Golgi tendon organ's afferent (Ib) of a cat's soleus muscle.

    Ib = 60 ln(1 + F / 4 N), held between 0 and `HIGHEST_RATE`: the static part of the model of Lin and Crago 2002,
    Neural and mechanical contributions to the stretch reflex, Ann Biomed Eng 30:54, equation 1. It stands for the
    ensemble of a muscle's tendon organs, which samples the whole muscle's force (Crago, Houk and Rymer 1982,
    doi:10.1152/jn.1982.47.6.1069). Their overshoot while force rises is left out.

    Parameters
    ----------
    force_n
        F, the tendon's force in N; a push counts as none.
    """
    return _within(60.0 * np.log1p(np.maximum(np.asarray(force_n, dtype=float), 0.0) / 4.0))


def touch_rate(force_n: ArrayLike, standing_n: float = 0.06) -> Array:
    """Return the steady rate in Hz of a slowly adapting mechanoreceptor's afferent in the skin of a paw.

    R = 24 (F / W)^0.66, held between 0 and `HIGHEST_RATE`. The exponent is that of Knibestöl 1975, Stimulus-response
    functions of slowly adapting mechanoreceptors in the human glabrous skin area, J Physiol 245:63,
    doi:10.1113/jphysiol.1975.sp010835, for the depth of an indentation. To take force for depth, and the scale, are
    ours: a paw that carries its share of a standing mouse is given 24 Hz, about what a mouse's afferents sustain at a
    firm indentation (Kim et al. 2012, doi:10.1186/1743-0003-9-45). The burst when force rises is left out.

    Parameters
    ----------
    force_n
        F, the force in N with which the skin is pressed; a pull counts as none.
    standing_n
        W, the force in N on one paw of the standing animal; by default a quarter of the weight of 25 g.

    Raises
    ------
    AnimatError
        If `standing_n` is not above 0.
    """
    if not standing_n > 0:
        raise AnimatError(f"standing_n needs a force above 0 N, got {standing_n!r}")
    return _within(24.0 * (np.maximum(np.asarray(force_n, dtype=float), 0.0) / standing_n) ** 0.66)


class Afferents:
    """The afferents of several muscles, with the cat's equations scaled to their size.

    The scaling is ours. A spindle lies beside the fibres and is stretched by the same fraction of its length, so
    stretch and velocity count in fibre lengths and are handed to the equations as if the muscle were `cat_length` long.
    A tendon organ carries the force of its share of the fibres, so force counts in maximal isometric forces and is
    handed on as if the muscle were a cat's soleus (21.5 N).

    Parameters
    ----------
    fibre_length
        Optimal fibre length in m of each muscle.
    max_isometric_force
        In N, of each muscle.
    rest_length
        The length in m of each muscle at which its stretch is zero, the middle of its range: of the whole path if
        `rates` is given path lengths, of the fibre if it is given fibre lengths.
    cat_length
        Length in m of the cat's muscle that the spindle equations were fitted to. The sensitivity to stretch grows in
        proportion to it: at 0.1 m, the primary afferent's 2 impulses/s per mm are 200 per muscle length.

    Raises
    ------
    AnimatError
        If a number is not finite and positive, or there is not one for each muscle.
    """

    def __init__(
        self,
        fibre_length: ArrayLike,
        max_isometric_force: ArrayLike,
        rest_length: ArrayLike,
        *,
        cat_length: float = _HAMSTRING_LENGTH,
    ) -> None:
        self._fibre_length = _column("fibre_length", "m", fibre_length)
        self._max_force = _column("max_isometric_force", "N", max_isometric_force)
        self._rest_length = _column("rest_length", "m", rest_length)
        sizes = {len(self._fibre_length), len(self._max_force), len(self._rest_length)}
        if len(sizes) > 1:
            raise AnimatError(
                f"fibre_length, max_isometric_force and rest_length need one number per muscle each; they have "
                f"{len(self._fibre_length)}, {len(self._max_force)} and {len(self._rest_length)}"
            )
        self._as_cat_mm = 1000.0 * _column("cat_length", "m", cat_length) / self._fibre_length

    @classmethod
    def of(cls, model: BodyModel, *names: str, cat_length: float = _HAMSTRING_LENGTH) -> Afferents:
        """Return the afferents of a body's described muscles; each rests at its path's length at the reference pose.

        Parameters
        ----------
        model
            A body, as `animat.body.load_body` returns it.
        names
            Muscles, in the order in which `rates` will be given their lengths.
        cat_length
            As for `Afferents`.

        Raises
        ------
        AnimatError
            If no muscle is named, one is unknown, or one is fixed to a part of a source file, whose place is not known
            here.
        """
        described = {muscle.name: muscle for muscle in model.muscles}
        if not names:
            raise AnimatError(f"name at least one muscle; {model.name} describes: {', '.join(described) or 'none'}")
        for name in names:
            if name not in described:
                raise unknown_name("described muscle", name, described)
        chosen = [described[name] for name in names]
        links = {"world": Link(name="world")} | {link.name: link for link in model.links}
        return cls(
            [muscle.optimal_fibre_length for muscle in chosen],
            [muscle.max_isometric_force for muscle in chosen],
            [_path_length(muscle, links) for muscle in chosen],
            cat_length=cat_length,
        )

    def rates(self, length: ArrayLike, velocity: ArrayLike, force: ArrayLike, activation: ArrayLike = 0.0) -> Rates:
        """Return the rates in Hz of the three kinds of afferent, each of shape (..., muscles).

        Parameters
        ----------
        length
            In m, of path or fibre as `rest_length` is; shape (..., muscles).
        velocity
            Of the same, in m/s; lengthening is positive.
        force
            Of the tendon, in N.
        activation
            From 0 to 1; one number counts for all muscles.

        Raises
        ------
        AnimatError
            If there is not one length, velocity and force for each muscle.
        """
        given = {"length": length, "velocity": velocity, "force": force}
        for name, values in given.items():
            if np.shape(values)[-1:] != self._fibre_length.shape and (np.ndim(values) or len(self._fibre_length) > 1):
                raise AnimatError(
                    f"{name} needs the shape (..., {len(self._fibre_length)}), one number for each muscle in the order "
                    f"in which they were named; it has {np.shape(values)}"
                )
        displacement = (np.asarray(length, dtype=float) - self._rest_length) * self._as_cat_mm
        speed = np.asarray(velocity, dtype=float) * self._as_cat_mm
        pull = np.asarray(force, dtype=float) / self._max_force * _SOLEUS_FORCE
        return Rates(
            primary_rate(displacement, speed, activation),
            secondary_rate(displacement, activation),
            tendon_organ_rate(pull),
        )


def _within(rate: Array) -> Array:
    return np.asarray(np.clip(rate, 0.0, HIGHEST_RATE), dtype=float)


def _column(name: str, unit: str, values: ArrayLike) -> Array:
    column = np.atleast_1d(np.asarray(values, dtype=float))
    if column.ndim > 1 or not np.all(np.isfinite(column) & (column > 0)):
        raise AnimatError(f"{name} needs one finite number above 0 {unit} per muscle, got {values!r}")
    return column


def _path_length(muscle: Muscle, links: dict[str, Link]) -> float:
    """Return the length in m of a muscle's path at the reference pose."""
    points = []
    for point in muscle.path:
        if point.link not in links:
            raise AnimatError(
                f"{muscle.name} is fixed to {point.link!r}, whose place stands in a source file; give "
                f"Afferents(fibre_length, max_isometric_force, rest_length) its numbers instead"
            )
        link = links[point.link]
        points.append(np.add(link.position, rotate(link.quaternion, point.position)))
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
