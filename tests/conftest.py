"""What all tests share: the real servers, started when a test first asks for one."""

pytest_plugins = ["tests.servers.fixtures", "tests.servers.kubernetes"]

# Programs that make a fixture need packages which the tests do not.
collect_ignore_glob = ["*/make_*.py"]
