"""Swin-B of transformers: `reference.py make FOLDER` writes one with random weights, `reference.py load FOLDER` times its loading."""
import json
import resource
import sys
import time

import safetensors
import torch
import transformers
from transformers import SwinConfig, SwinModel

what, folder = sys.argv[1:]
if what == "make":
    torch.manual_seed(0)
    config = SwinConfig(embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32], window_size=7)
    SwinModel(config).save_pretrained(folder)
else:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model = SwinModel.from_pretrained(folder)
    touched = sum(p.detach().flatten()[::1024].sum().item() for p in model.parameters())  # mapped pages are read here
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}, safetensors {safetensors.__version__}"
    print(json.dumps({"seconds": seconds, "touched": touched, "residentBytes": grown, "versions": versions}))
