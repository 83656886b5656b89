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
times = []
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO(truth_file)
    found = truth.loadRes(detections_file)
    for _ in range(rounds):
        evaluation = COCOeval(truth, found, "bbox")
        start, cpu = time.perf_counter(), time.process_time()
        evaluation.evaluate()
        evaluation.accumulate()
        times.append({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu})
    evaluation.summarize()
print(json.dumps({"version": version("pycocotools"), "times": times, "stats": list(evaluation.stats)}))
