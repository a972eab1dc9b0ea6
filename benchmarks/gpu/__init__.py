"""`make gpu-check`: every path that a GPU computes against the CPU, and what the card does; results/bench/gpu.json.

It runs from the repository alone where little more than PyTorch is installed::

    python3 -m benchmarks.gpu --wheels results/gpu-wheels

with the wheels, and the weights of VGG19, that ``make gpu-wheels`` collected.
"""
