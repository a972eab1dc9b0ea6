"""`make bench`: speed and memory, as ratios measured in one run; writes results/bench/performance.json.

``--quick`` tries every measurement in tiny sizes on drawn tissue, without data.
"""
