"""What `make truth`, `make bench` and the other targets of figures run; these go to results/bench."""
