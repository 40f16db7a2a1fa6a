"""What the library needs of the machine: threads, files, warnings, other packages."""
