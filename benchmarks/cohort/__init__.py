"""A thousand small slides through the workflow on one machine: what the workflow costs beyond the work."""
