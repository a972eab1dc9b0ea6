"""Small networks from frozen ones, and how deep to tune: tables with paired differences."""
