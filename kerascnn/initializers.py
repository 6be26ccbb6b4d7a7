"""Initialisers that Keras does not have."""

import math

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError

__all__ = ["DigitBitmaps", "FanInUniform"]


@keras.saving.register_keras_serializable(package="kerascnn")
class FanInUniform(keras.initializers.RandomUniform):
    """Uniform between -scale / fan_in and scale / fan_in, as in LeNet-5.

    The standard deviation is scale / (sqrt(3) * fan_in): it falls with fan_in, not with its root as
    in the LeCun, Glorot and He initialisers of Keras, so wide layers start with small weights.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Appendix A: 2.4 / F_i, where F_i is the fan-in of
    the unit that the connection belongs to. Differs from the paper: no.

    Args:
        fan_in: int >= 1, or a list of them, one for each output (the last axis of the weights).
            None counts it from the shape as for a kernel: the product of all axes but the last.
        scale: float > 0. The paper uses 2.4.
        seed: int or None. Equal ints draw equal weights, as in Keras.

    Raises:
        InputError: `fan_in` is below 1 or `scale` is not positive.

    >>> weights = FanInUniform(seed=0)((5, 5, 1, 6))
    >>> bool(abs(keras.ops.convert_to_numpy(weights)).max() <= 2.4 / 25)
    True
    """

    def __init__(self, fan_in=None, scale=2.4, seed=None):
        if scale <= 0 or (fan_in is not None and np.min(fan_in) < 1):
            raise InputError(
                "`scale` must be positive and `fan_in` at least 1 (or None). "
                f"Received: fan_in={fan_in}, scale={scale}."
            )
        super().__init__(minval=-1.0, maxval=1.0, seed=seed)
        self.fan_in = None if fan_in is None else np.asarray(fan_in).tolist()
        self.scale = scale

    def __call__(self, shape, dtype=None):
        fan_in = math.prod(shape[:-1]) if self.fan_in is None else self.fan_in
        unit = super().__call__(shape, dtype)
        return unit * ops.cast(self.scale / np.asarray(fan_in), unit.dtype)

    def get_config(self):
        return {
            "fan_in": self.fan_in,
            "scale": self.scale,
            "seed": super().get_config()["seed"],
        }


# '#' is +1 (black), '.' is -1 (white): 12 rows of 7 pixels a digit.
_DIGITS = """
..###.. ...##.. .#####. ####### ....### ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## .....## ...#.## ##..... .##.... .....## ##...## ##...##
##...## .####.. ##...## ....##. ..##.## ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. ##...## ######. ######. ....##. .#####. ##..###
##...## ...##.. ...##.. .....## ##...## .....## ###..## ...##.. ##...## .######
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## .....## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## .....## ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. .....## .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


@keras.saving.register_keras_serializable(package="kerascnn")
class DigitBitmaps(keras.initializers.Initializer):
    """The targets of LeNet-5's ten output units: drawings of the digits, 12 rows of 7 pixels.

    Row d of the result is digit d, read row by row from the top left: +1 is black, -1 is white. The
    digits stand on the tenth row; the two rows below are for letters with descenders.

    Source: LeCun et al. 1998, Proc. IEEE 86(11), Fig. 3 and Sec. II-B (7x12 bitmaps of a stylised
    ASCII set). Differs from the paper: redrawn by hand in the figure's style, since the paper gives
    the bitmaps only as a picture; single pixels may differ.

    Raises:
        InputError: the shape asked for is not (10, 84).

    >>> codes = keras.ops.convert_to_numpy(DigitBitmaps()((10, 84)))
    >>> print("\\n".join("".join(" #"[int(v > 0)] for v in row) for row in codes[7].reshape(12, 7)))
    #######
         ##
         ##
        ##
        ##
       ##
       ##
      ##
      ##
      ##
    <BLANKLINE>
    <BLANKLINE>
    """

    def __call__(self, shape, dtype=None):
        if tuple(shape) != (10, 84):
            raise InputError(
                "The digit bitmaps are 10 codes of 84 pixels: the layer must have 10 units and 84 "
                f"inputs. Received: shape={tuple(shape)}. For other classes pass codes of your own."
            )
        rows = [line.split() for line in _DIGITS.split("\n") if line]
        codes = [[1.0 if pixel == "#" else -1.0 for pixel in "".join(d)] for d in zip(*rows)]
        return ops.convert_to_tensor(codes, dtype=dtype or keras.config.floatx())
