"""What `make truth` and `make bench` run; figures go to results/bench."""
