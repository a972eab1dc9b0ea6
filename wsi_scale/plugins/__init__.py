"""What viewers of others load to open results of this program."""
