"""Mean nucleus area from patches, networks whole against cut: `python -m benchmarks.nuclei all`.

The histology task of Graziani et al. 2020, 2021 with what its evaluation lacked (docs/science.md): splits by patient,
the same search for both arms, a paired ratio of errors with its interval, errors in octaves, the rule's own oracle.
MoNuSeg and TNBC are evaluation data: every head and network fitted here is thrown away.
"""
