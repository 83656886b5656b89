"""Times pycocotools: python reference.py TRUTH.json DETECTIONS.json ROUNDS; prints JSON."""
import contextlib
import io
import json
import sys
import time
from importlib.metadata import version

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

truth_file, detections_file, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
seconds = []
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(truth_file)
    found = truth.loadRes(detections_file)
    for _ in range(rounds):
        evaluation = COCOeval(truth, found, "bbox")
        start = time.perf_counter()
        evaluation.evaluate()
        evaluation.accumulate()
        seconds.append(time.perf_counter() - start)
    evaluation.summarize()
print(json.dumps({"version": version("pycocotools"), "seconds": seconds, "stats": list(evaluation.stats)}))
