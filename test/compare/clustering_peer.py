"""scikit-learn's side of clustering.ts: reads points.f32 and start.json from a folder, writes peer.json there."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics
from sklearn.cluster import AgglomerativeClustering

from clustering_golden import StartedMixture

folder = Path(sys.argv[1])
given = json.loads((folder / "start.json").read_text())
points = np.fromfile(folder / "points.f32", np.float32).reshape(-1, given["d"]).astype(float)
start = np.array(given["start"])
seconds = {}


def timed(name, work):
    began = time.perf_counter()
    result = work()
    seconds[name] = time.perf_counter() - began
    return result


mixture = StartedMixture(given["k"])
mixture.start = start
peer = {
    "version": sklearn.__version__,
    "mixture": timed("Gaussian mixture", lambda: mixture.fit_predict(points)).tolist(),
    "ward": timed("Ward", lambda: AgglomerativeClustering(given["k"]).fit_predict(points)).tolist(),
    "silhouette": timed("silhouette", lambda: metrics.silhouette_score(points, start)),
    "seconds": seconds,
}
(folder / "peer.json").write_text(json.dumps(peer))
