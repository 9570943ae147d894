"""The order of the tests: the longest file is begun first, so that others run beside it."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != "test_smoke.py")
