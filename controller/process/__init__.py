"""Starting the controller: a process of its own, with one file for its configuration."""
