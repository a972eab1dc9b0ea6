"""One module a stage: artefacts in, science, artefacts out."""
