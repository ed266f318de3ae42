"""Each test module is named for what it tests."""
