"""Starting the controller: a process of its own, told everything by one file."""
