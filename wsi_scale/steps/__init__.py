"""What is computed of one opened slide: in memory, without a file of results read or written."""
