"""Optimisers that Keras lacks, and how its own differ from the rules of the papers.

Written out, g the gradient at w, Keras's optimisers are these rules (`K` is `keras.optimizers`):

| rule | papers and lecture notes | Keras | to get the paper's |
|---|---|---|---|
| gradient descent | w - rate g | same | `K.SGD(rate)` |
| momentum | v = rho v - rate g; w + v | same | `K.SGD(rate, momentum=rho)` |
| Nesterov, first form | g at w + rho v; w + v | stores w + rho v as w | subtract rho `momentums` |
| Nesterov, second form | w + (1 + rho) v - rho v_before, g at w | same | \
`K.SGD(rate, momentum=rho, nesterov=True)` |
| AdaGrad | a = a + g^2 from 0; rate g / (sqrt(a) + nu) | a from 0.1; rate g / sqrt(a + epsilon) | \
`K.Adagrad(rate, initial_accumulator_value=0.0, epsilon=nu**2)` |
| RMSProp | a = beta a + (1 - beta) g^2; as AdaGrad | rate g / sqrt(a + epsilon) | \
`K.RMSprop(rate, epsilon=nu**2)` |
| Adam | rate m_hat / (sqrt(v_hat) + epsilon) | rate' m / (sqrt(v) + epsilon): the paper's is \
epsilon / sqrt(1 - beta_2^t) | the same where gradients are well above epsilon: \
`K.Adam(rate, epsilon=1e-8)` |
| Adam without bias correction | rate m / (sqrt(v) + epsilon) | none | a schedule of \
rate (1 - beta_1^t) / sqrt(1 - beta_2^t), t = step + 1 |
| AdamW | w - rate m_hat / (sqrt(v_hat) + epsilon) - decay w | decay rate w | \
`K.AdamW(rate, weight_decay=decay / rate)` |
| AlexNet | v = 0.9 v - decay rate w - rate g; w + v | `weight_decay` shrinks w by decay rate w \
beside the momentum: at 0.9 a tenth of the effect | \
`kernel_regularizer=keras.regularizers.L2(decay / 2)` in each layer, without `weight_decay` |
| PReLU's slope | da = mu da + rate dE/da, no decay | same, but starts at 0 and shares nothing | \
`PReLU(keras.initializers.Constant(0.25), shared_axes=[1, 2])` |

Where `epsilon=nu**2` takes the place of nu the two agree for gradients well above nu, and at 0. The
notes' second form of Nesterov has (1 - rho) v and the gradient elsewhere: slips, which diverge.
Keras's velocity holds the rate: when the rate falls, the step falls over the next 1 / (1 - rho)
steps. tests/oracles/update_rules.py has every rule in NumPy; the tests follow both step by step.
"""

from kerascnn.optimizers.diagonal_lm import StochasticDiagonalLM
from kerascnn.optimizers.full_batch import minimize_full_batch
from kerascnn.optimizers.layer_rates import layer_rates
from kerascnn.optimizers.radam import RAdam

__all__ = ["RAdam", "StochasticDiagonalLM", "layer_rates", "minimize_full_batch"]
