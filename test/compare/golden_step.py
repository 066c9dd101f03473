"""Training steps by TensorFlow's automatic differentiation and Keras' optimisers, in double precision.

Writes test/model/golden/steps.json, which test/model/golden.test.ts compares with this project's training graphs. Run
by hand when the formulas change; needs Python 3.10 or newer:

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu==2.21.0
    venv/bin/python test/compare/golden_step.py
"""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

keras.config.set_floatx("float64")

WIDTHS = [6, 5, 7, 3, 7, 5, 6]
"""Falling and rising layers beside the code, as the training graphs hold them in different layouts."""
CODE = 3
CENTRES = 4
GAMMA = 0.7
MOMENTUM = 0.9
BATCHES = [9, 4, 9, 1]
"""Rows of each step, the first of the data; whole and partial batches."""
CASES = [
    {"optimiser": "sgd", "clustered": False, "reconstruction": 1, "rate": 0.3},
    {"optimiser": "adam", "clustered": False, "reconstruction": 1, "rate": 0.01},
    {"optimiser": "sgd", "clustered": True, "reconstruction": 1, "rate": 0.3},
    {"optimiser": "adam", "clustered": True, "reconstruction": 1, "rate": 0.01},
    {"optimiser": "sgd", "clustered": True, "reconstruction": 0, "rate": 0.1},
]
OUTPUT = Path(__file__).parent.parent / "model" / "golden" / "steps.json"


def start(rng):
    """Values with few digits, so that the file says exactly what both sides start from."""
    rounded = lambda values: np.round(values, 4)
    parameters = {}
    for l, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        parameters[f"weight{l}"] = rounded(rng.uniform(-1, 1, (inputs, outputs)) / np.sqrt(inputs))
        parameters[f"bias{l}"] = rounded(0.2 * rng.normal(size=outputs))
    parameters["centres"] = rounded(rng.normal(size=(CENTRES, CODE)))
    x = rounded(rng.uniform(size=(max(BATCHES), WIDTHS[0])))
    target = rounded(rng.dirichlet(np.ones(CENTRES), size=max(BATCHES)))
    target[:, -1] = rounded(1 - target[:, :-1].sum(axis=1))  # the gradient of KL takes rows that sum to 1
    return parameters, x, target


def loss(parameters, x, target, case):
    """Mean over rows and features of the squared error, with clustering weighted, + gamma * mean over rows of KL(p||q)."""
    layers = len(WIDTHS) - 1
    code_layer = layers // 2
    hidden = x
    code = None
    for l in range(layers):
        hidden = tf.matmul(hidden, parameters[f"weight{l}"]) + parameters[f"bias{l}"]
        if l + 1 == code_layer:
            code = hidden
        elif l + 1 < layers:
            hidden = tf.nn.relu(hidden)
    squared = tf.reduce_mean(tf.square(hidden - x))
    if not case["clustered"]:
        return squared
    distance = tf.reduce_sum(tf.square(code[:, None, :] - parameters["centres"][None, :, :]), axis=2)
    kernel = 1 / (1 + distance)
    q = kernel / tf.reduce_sum(kernel, axis=1, keepdims=True)
    divergence = tf.reduce_mean(tf.reduce_sum(target * tf.math.log(target / q), axis=1))
    return case["reconstruction"] * squared + GAMMA * divergence


def optimiser_of(case):
    if case["optimiser"] == "sgd":
        return keras.optimizers.SGD(learning_rate=case["rate"], momentum=MOMENTUM)
    return keras.optimizers.Adam(learning_rate=case["rate"])


def run(case, initial, x, target):
    names = [name for name in initial if case["clustered"] or name != "centres"]
    variables = {name: tf.Variable(initial[name], dtype=tf.float64) for name in names}
    optimiser = optimiser_of(case)
    losses = []
    after = []
    for n in BATCHES:
        with tf.GradientTape() as tape:
            value = loss(variables, tf.constant(x[:n]), tf.constant(target[:n]), case)
        gradients = tape.gradient(value, list(variables.values()), unconnected_gradients="zero")
        optimiser.apply_gradients(zip(gradients, variables.values()))
        losses.append(float(value))
        after.append({name: digits(variable.numpy()) for name, variable in variables.items()})
    return {**case, "losses": losses, "afterFirst": after[0], "afterLast": after[-1]}


def digits(values):
    return [float(f"{v:.10g}") for v in values.ravel()]


def main():
    parameters, x, target = start(np.random.default_rng(20))
    golden = {
        "by": f"TensorFlow {tf.__version__}, Keras {keras.__version__}, float64",
        "widths": WIDTHS,
        "code": CODE,
        "centres": CENTRES,
        "gamma": GAMMA,
        "momentum": MOMENTUM,
        "batches": BATCHES,
        "x": digits(x),
        "target": digits(target),
        "start": {name: digits(values) for name, values in parameters.items()},
        "cases": [run(case, parameters, x, target) for case in CASES],
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
