"""Where the columns of a FractalNet meet: a mean, with local and global drop-path."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, one_of
from kerascnn.layers._paths import MODES, are_shapes, num_draws

__all__ = ["FractalJoin", "FractalPath"]


@keras.saving.register_keras_serializable(package="kerascnn")
class FractalPath(keras.layers.Layer):
    """Draws which path through a FractalNet is taken; all its `FractalJoin` layers read it.

    In training a draw is -1 (local drop-path: each join draws for itself) with probability
    `local_share`, else the index of the one column that is kept throughout the network (global
    drop-path), each with the same probability. At inference it is -1.

    Source: Larsson, Maire and Shakhnarovich 2017, arXiv:1605.07648, Sec. 3 and Fig. 3: a new
    subnetwork for each mini-batch, 50 % local and 50 % global. Differs from the paper: no.

    Args:
        num_columns: int >= 1. Columns of the network, C in the paper.
        local_share: float in [0, 1]. Share of draws that are local; 1 means no global drop-path.
        mode: "batch": one draw for the whole mini-batch, as in the paper; or "sample": one for each
            sample. The joins follow it in their local draws.
        seed: int or None. Equal ints repeat the draws of a run.

    Call arguments:
        x: tensor, of which only the number of samples is used: the network's input.
        training: bool. Whether paths are drawn.

    Input shape:
        (N, ...).

    Output shape:
        (1,) in mode "batch", (N,) in mode "sample"; int32, from -1 to `num_columns` - 1.

    Raises:
        InputError: an argument is outside its range.

    >>> paths = FractalPath(num_columns=3, mode="sample", seed=1)
    >>> drawn = keras.ops.convert_to_numpy(paths(keras.ops.zeros((600, 32)), training=True))
    >>> drawn.shape, sorted(set(drawn.tolist()))
    ((600,), [-1, 0, 1, 2])
    """

    def __init__(self, num_columns, local_share=0.5, mode="batch", seed=None, **kwargs):
        super().__init__(**kwargs)
        if num_columns < 1 or not 0 <= local_share <= 1:
            raise InputError(
                "`num_columns` must be at least 1 and `local_share` in [0, 1]. "
                f"Received: num_columns={num_columns}, local_share={local_share}."
            )
        self.num_columns = num_columns
        self.local_share = local_share
        self.mode = one_of(mode, MODES, "mode")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        shape = (num_draws(x, self.mode),)
        local = -ops.ones(shape, "int32")
        if not training:
            return local
        column = keras.random.randint(shape, 0, self.num_columns, seed=self.seed_generator)
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return ops.where(drawn < self.local_share, local, column)

    def get_config(self):
        return {
            **super().get_config(),
            "num_columns": self.num_columns,
            "local_share": self.local_share,
            "mode": self.mode,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="kerascnn")
class FractalJoin(keras.layers.Layer):
    """The element-wise mean of several columns; in training the mean of those that are kept.

    Local drop-path: each input is dropped with probability `drop_rate`; if all would be, one of
    them, chosen at random, is kept. Global drop-path: only the input of the drawn column is kept
    (a join that this column does not feed is not used by it, and draws locally). Inference: the
    mean of all inputs.

    Source: Larsson, Maire and Shakhnarovich 2017, arXiv:1605.07648, Sec. 3; the paper drops with
    15 %. Differs from the paper: a dropped column is still computed and then multiplied by 0.

    Args:
        columns: list of int >= 0, all different. The column that each input comes from, in the
            order of the inputs; columns are counted as `FractalPath` counts them.
        drop_rate: float in [0, 1]. Probability that local drop-path drops an input.
        seed: int or None. Equal ints repeat the draws of a run.

    Call arguments:
        inputs: list of one tensor for each column, and last the output of `FractalPath`.
        training: bool. Whether inputs may be dropped.

    Input shape:
        One of (N, ...), float, for each column, of equal shapes; and (1,) or (N,).

    Output shape:
        That of one column.

    Raises:
        InputError: an argument is outside its range, or the inputs do not fit `columns`.

    >>> a, b = keras.ops.ones((1, 2)), keras.ops.ones((1, 2)) * 5
    >>> join = FractalJoin(columns=[0, 1])
    >>> keras.ops.convert_to_numpy(join([a, b, keras.ops.array([-1])]))
    array([[3., 3.]], dtype=float32)
    >>> keras.ops.convert_to_numpy(join([a, b, keras.ops.array([1])], training=True))
    array([[5., 5.]], dtype=float32)
    """

    def __init__(self, columns, drop_rate=0.15, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.columns = [int(column) for column in columns]
        if not columns or min(columns) < 0 or len(set(self.columns)) < len(columns):
            raise InputError(
                f"`columns` must be different integers of at least 0. Received: {columns}."
            )
        if not 0 <= drop_rate <= 1:
            raise InputError(f"`drop_rate` must be in [0, 1]. Received: {drop_rate}.")
        self.drop_rate = drop_rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if not are_shapes(input_shape[:-1], len(self.columns)):
            raise InputError(
                f"FractalJoin(columns={self.columns}) reads as many tensors of equal shapes, and "
                f"last the output of FractalPath. Received shapes: {input_shape}."
            )

    def call(self, inputs, training=False):
        *inputs, paths = inputs
        if not training:
            return sum(inputs) / len(inputs)
        kept = ops.cast(self._kept(paths), "float32")  # (draws, columns)
        shares = ops.cast(kept / ops.sum(kept, axis=1, keepdims=True), inputs[0].dtype)
        place = (-1, *[1] * (len(inputs[0].shape) - 1))
        return sum(ops.reshape(shares[:, i], place) * x for i, x in enumerate(inputs))

    def _kept(self, paths):
        """Which columns each draw of `paths` keeps: bool, (draws, columns)."""
        shape = (ops.shape(paths)[0], len(self.columns))
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        # The largest draw is always kept: if all would be dropped, it is any of them by chance.
        local = drawn >= ops.minimum(self.drop_rate, ops.max(drawn, axis=1, keepdims=True))
        chosen = ops.equal(ops.expand_dims(paths, 1), np.asarray(self.columns, "int32"))
        return ops.where(ops.any(chosen, axis=1, keepdims=True), chosen, local)

    def get_config(self):
        return {
            **super().get_config(),
            "columns": self.columns,
            "drop_rate": self.drop_rate,
            "seed": self.seed,
        }
