"""Times PyTorch's product of two square matrices: peer_peak.py THREADS."""

import sys
import time

import torch

from networks import answer

torch.set_num_threads(int(sys.argv[1]))
side = 1536
left, right = torch.full((side, side), 0.5), torch.full((side, side), 0.25)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        start = time.perf_counter()
        left @ right
        times.append((time.perf_counter() - start) * 1e3)
    answer(times, side)
