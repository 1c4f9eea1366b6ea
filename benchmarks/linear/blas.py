"""OpenBLAS by NumPy: reads lines "what n precision", answers milliseconds of CPU time of one run."""
import json
import sys
import time

import numpy

config = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
print(json.dumps({"numpy": numpy.__version__, "blas": f'{config["name"]} {config["version"]}'}), flush=True)
random = numpy.random.default_rng(1)
made = {}
for line in sys.stdin:
    what, size, precision = line.split()
    n = int(size)
    if (n, precision) not in made:
        made[n, precision] = [(random.random((n, n)) - 0.5).astype(precision) for _ in range(2)]
    a, b = made[n, precision]
    began = time.process_time()
    if what == "product":
        a @ b
    else:
        numpy.linalg.solve(a, b[:, 0])
    print((time.process_time() - began) * 1000, flush=True)
