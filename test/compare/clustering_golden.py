"""Golden values of the clustering metrics and baselines, from scikit-learn (development only).

    python3 -m venv /tmp/sklearn && /tmp/sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/sklearn/bin/python test/compare/clustering_golden.py > test/evaluate/clustering.golden.json
"""

import json

import numpy as np
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture


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


class StartedMixture(GaussianMixture):
    """Starts from a given partition instead of its own k-means."""

    def _initialize_parameters(self, X, random_state, **_):
        self._initialize(X, np.eye(self.n_components)[self.start])


def baselines(name, points, k):
    points = points.round(3)
    start = KMeans(k, n_init=5, random_state=0).fit_predict(points)
    mixture = StartedMixture(k)
    mixture.start = start
    partition = mixture.fit_predict(points)
    return {
        "name": name,
        "features": points.shape[1],
        "points": points.ravel().tolist(),
        "k": k,
        "start": start.tolist(),
        "silhouette": metrics.silhouette_score(points, start),
        "mixture": {
            "assignment": partition.tolist(),
            "weights": mixture.weights_.tolist(),
            "means": mixture.means_.ravel().tolist(),
            "logLikelihood": float(mixture.lower_bound_),
            "iterations": int(mixture.n_iter_),
        },
        "ward": {str(c): AgglomerativeClustering(c).fit_predict(points).tolist() for c in (2, 3, 5)},
    }


def blobs(rng, sizes, d, spread):
    return np.vstack([rng.normal(rng.normal(0, 1, d), spread, (size, d)) for size in sizes])


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
    mixed = blobs(rng, (25, 15, 10), 3, 0.4)
    # Long and thin: k-means cuts across, a mixture with full covariances does not.
    stretched = np.vstack([rng.normal(0, 1, (30, 2)) * [3, 0.15], rng.normal(0, 1, (30, 2)) * [3, 0.15] + [0, 1.2]])
    constant = np.hstack([blobs(rng, (20, 20), 3, 0.6), np.full((40, 1), 0.5)])
    fitted = [baselines("three blobs", mixed, 3), baselines("two stripes", stretched, 2), baselines("a constant column", constant, 2)]
    print(json.dumps({"scikit-learn": sklearn.__version__, "agreement": cases, "baselines": fitted}))


if __name__ == "__main__":
    main()
