"""Golden values of the clustering metrics and baselines, from scikit-learn (development only).

    python3 -m venv /tmp/sklearn && /tmp/sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/sklearn/bin/python test/compare/clustering.py > test/evaluate/clustering.golden.json
"""

import json

import numpy as np
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn import metrics


def accuracy(assignment, labels):
    table = metrics.cluster.contingency_matrix(assignment, labels)
    rows, columns = linear_sum_assignment(-table)
    return table[rows, columns].sum() / len(labels)


def agreement(name, assignment, labels):
    return {
        "name": name,
        "assignment": [int(x) for x in assignment],
        "labels": [int(x) for x in labels],
        "accuracy": accuracy(assignment, labels),
        "nmi": metrics.normalized_mutual_info_score(labels, assignment),
        "ari": metrics.adjusted_rand_score(labels, assignment),
    }


def noisy(rng, n, clusters, labels, noise):
    truth = rng.integers(0, labels, n)
    return np.where(rng.random(n) < noise, rng.integers(0, clusters, n), truth % clusters), truth


def main():
    rng = np.random.default_rng(7)
    cases = [
        agreement("equal", [0, 0, 1, 2, 2], [5, 5, 9, 7, 7]),
        agreement("one cluster", [3] * 6, [0, 0, 0, 0, 0, 1]),
        agreement("one label", [0, 1, 0, 2], [1, 1, 1, 1]),
        agreement("both single", [0, 0, 0], [4, 4, 4]),
        agreement("every row its own cluster", list(range(8)), [0, 0, 0, 1, 1, 1, 1, 2]),
        agreement("one row", [0], [1]),
        agreement("two rows apart", [0, 1], [0, 0]),
        agreement("rare anomalies, split normals", rng.integers(0, 2, 200), (rng.random(200) < 0.025).astype(int)),
    ]
    for clusters, labels, noise in [(2, 2, 0.3), (5, 3, 0.4), (3, 6, 0.2), (8, 8, 0.6), (4, 4, 1.0)]:
        cases.append(agreement(f"{clusters} clusters, {labels} labels, noise {noise}", *noisy(rng, 120, clusters, labels, noise)))
    print(json.dumps({"scikit-learn": sklearn.__version__, "agreement": cases}))


main()
