"""Note the files that the package brings along as they are now, which are verified whenever they are read."""

from taskreason.durability.bundled_files import MANIFEST, seal

if __name__ == "__main__":
    seal()
    print(f"{MANIFEST}: written")
