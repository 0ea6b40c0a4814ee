"""What stands in the place of setuptools where nothing is to be built."""
