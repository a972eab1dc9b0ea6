"""Learning from labelled images and from slides: heads, cohorts, smaller networks and the embedded one."""
