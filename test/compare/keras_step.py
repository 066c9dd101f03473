"""One training step of the report's autoencoder: this project against Keras on TensorFlow, in turns in one run.

Same network (460-500-500-2000-20 and its mirror), optimiser (SGD, rate 0.001, momentum 0.9), loss, batch and threads
(one a core). Each round runs `examon-dec bench train` in a process of its own and then `fit` of each form of the Keras
model over an epoch of batches in memory; figures are medians over rounds. Development only; Python 3.10 or newer:

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu==2.21.0
    venv/bin/python test/compare/keras_step.py [--batch 128] [--rounds 6]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).parent.parent.parent
WIDTHS = [460, 500, 500, 2000, 20, 2000, 500, 500, 460]
CODE_LAYER = 4
STEPS = 40
"""Batches of an epoch."""
FORMS = {"Keras, default": "auto", "Keras, jit_compile=True (XLA)": True}
OURS = "examon-dec"


def keras_model(jit):
    model = keras.Sequential([keras.Input((WIDTHS[0],))])
    for l, width in enumerate(WIDTHS[1:], start=1):
        linear = l == CODE_LAYER or l == len(WIDTHS) - 1
        model.add(keras.layers.Dense(width, activation=None if linear else "relu"))
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss="mse", jit_compile=jit)
    return model


def keras_step(model, x, batch):
    """Milliseconds a step over one epoch."""
    start = time.perf_counter()
    model.fit(x, x, batch_size=batch, epochs=1, shuffle=False, verbose=0)
    return (time.perf_counter() - start) * 1e3 / (len(x) // batch)


def own_step(batch):
    command = ["npx", "node", "bin/examon-dec.js", "bench", "train", "--json", "--rounds", "2", "--batch", str(batch)]
    result = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    step = next(s for s in result["steps"] if s["name"] == "autoencoder, SGD")
    return step["median"], result["machine"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    x = np.random.default_rng(1).random((STEPS * arguments.batch, WIDTHS[0]), dtype=np.float32)
    models = {name: keras_model(jit) for name, jit in FORMS.items()}
    for model in models.values():
        keras_step(model, x, arguments.batch)  # traces and compiles
    times = {name: [] for name in [OURS, *FORMS]}
    for _ in range(arguments.rounds):
        ours, machine = own_step(arguments.batch)
        times[OURS].append(ours)
        for name, model in models.items():
            times[name].append(keras_step(model, x, arguments.batch))
    own = statistics.median(times[OURS])
    print(
        f"{machine['cpu']}, {machine['cores']} cores, Node {machine['node']}, onnxruntime {machine['onnxruntime']}, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python {platform.python_version()}, "
        f"{datetime.now(timezone.utc):%Y-%m-%d}"
    )
    print(f"batch {arguments.batch}, SGD with momentum, {arguments.rounds} rounds in turns")
    print(f"{'':32}{'ms/step (median)':>18}{'fastest':>10}{'ours / it':>12}")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:32}{median:18.1f}{min(values):10.1f}{own / median:12.2f}")


if __name__ == "__main__":
    main()
